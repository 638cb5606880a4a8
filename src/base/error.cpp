#include "base/error.h"

#include <system_error>

namespace coterie {

std::string errno_text(int error) { return str(std::generic_category().message(error), " (", error, ")"); }

}  // namespace coterie
