// Names of the splits.
#include "data/collection.h"

#include "base/error.h"

namespace coterie::data {

const char* name_of(Split split) {
  switch (split) {
    case Split::train:
      return "train";
    case Split::validation:
      return "validation";
    case Split::test:
      return "test";
    case Split::every:
      return "every";
  }
  throw ShapeError(str("split: the number must be 0..3, got ", static_cast<int>(split)));
}

}  // namespace coterie::data
