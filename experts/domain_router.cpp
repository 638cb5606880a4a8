#include "experts/domain_router.h"

#include <ATen/Functions.h>

#include <algorithm>

#include "base/error.h"

namespace coterie::experts {

Routing DomainRouter::route(const at::Tensor& tokens_TD, const BatchLayout& layout, RandomKey /*key*/,
                            const Choice* replay) const {
  if (replay != nullptr) return {*replay, {}, {}};
  const std::int64_t tokens = tokens_TD.size(0);
  COTERIE_CHECK(ShapeError, layout.domain.size() + 1 == layout.offsets.size(), "router: ", layout.domain.size(),
                " domains for ", static_cast<std::int64_t>(layout.offsets.size()) - 1, " sequences");
  COTERIE_CHECK(ShapeError, layout.offsets.back() == tokens, "router: offsets end at ", layout.offsets.back(),
                ", there are ", tokens, " tokens");
  at::Tensor expert_S = at::empty({tokens}, at::kLong);
  auto* expert = expert_S.mutable_data_ptr<std::int64_t>();
  for (std::size_t b = 0; b < layout.domain.size(); ++b) {
    const std::int32_t domain = layout.domain[b];
    if (domain < 0 || domain >= experts_)
      throw DataError(str("router: the domain of a text must be in 0..", experts_ - 1, ", got ",
                          domain < 0 ? "none" : std::to_string(domain), " (sequence ", b, " of the batch)"));
    std::fill(expert + layout.offsets[b], expert + layout.offsets[b + 1], domain);
  }
  return {{at::arange(tokens, at::kLong), expert_S}, {}, {}};
}

}  // namespace coterie::experts
