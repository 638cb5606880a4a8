#include "experts/plan.h"

#include <ATen/Functions.h>

#include <numeric>
#include <span>
#include <utility>

#include "base/error.h"
#include "dist/mesh.h"
#include "kernels/upload.h"

namespace coterie::experts {
namespace {

at::Tensor inverse_of(const at::Tensor& order) {
  at::Tensor inverse = at::empty_like(order);
  const auto* from = order.const_data_ptr<std::int64_t>();
  auto* to = inverse.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < order.numel(); ++i) to[from[i]] = i;
  return inverse;
}

// The assignments by their experts, those of one expert in the order of the tokens.
at::Tensor order_by(const at::Tensor& expert_S, std::span<const std::int64_t> counts_E) {
  std::vector<std::int64_t> next(counts_E.size(), 0);
  std::exclusive_scan(counts_E.begin(), counts_E.end(), next.begin(), std::int64_t{0});
  at::Tensor order = at::empty_like(expert_S);
  const auto* expert = expert_S.const_data_ptr<std::int64_t>();
  auto* to = order.mutable_data_ptr<std::int64_t>();
  for (std::int64_t s = 0; s < expert_S.numel(); ++s) to[next[static_cast<std::size_t>(expert[s])]++] = s;
  return order;
}

// counts[rank][expert] as all ranks know it.
struct CountMatrix {
  std::vector<std::int64_t> counts;
  std::int64_t experts;
  [[nodiscard]] std::int64_t at(std::int64_t rank, std::int64_t expert) const {
    return counts[static_cast<std::size_t>(rank * experts + expert)];
  }
};

// Received rows lie by (sender, local expert); this lists them by (local expert, sender).
at::Tensor order_by_expert(const CountMatrix& matrix, std::int64_t ranks, std::int64_t first, std::int64_t local) {
  std::vector<std::int64_t> start;  // first row of each (sender, local expert) block
  std::int64_t rows = 0;
  for (std::int64_t r = 0; r < ranks; ++r) {
    for (std::int64_t l = 0; l < local; ++l) {
      start.push_back(rows);
      rows += matrix.at(r, first + l);
    }
  }
  at::Tensor order = at::empty({rows}, at::kLong);
  auto* out = order.mutable_data_ptr<std::int64_t>();
  for (std::int64_t l = 0; l < local; ++l) {
    for (std::int64_t r = 0; r < ranks; ++r) {
      const std::int64_t count = matrix.at(r, first + l);
      std::iota(out, out + count, start[static_cast<std::size_t>(r * local + l)]);
      out += count;
    }
  }
  return order;
}

}  // namespace

Plan Plan::on(const at::Device& device) const {
  Plan placed = *this;
  for (at::Tensor* indices : {&placed.token_S, &placed.assigned_T, &placed.send_order_S, &placed.send_inverse_S,
                              &placed.expert_order_R, &placed.expert_inverse_R})
    *indices = kernels::upload(*indices, device);
  return placed;
}

Plan make_plan(const Choice& made, std::int64_t tokens, std::int64_t experts, const dist::ProcessGroup& group,
               std::vector<std::int64_t> known) {
  const Choice choice{made.token_S, made.expert_S.cpu().contiguous()};
  const std::int64_t ranks = group.size();
  const dist::ExpertBlocks blocks = dist::expert_blocks(experts, group.size());
  const std::int64_t local = blocks.size;
  const std::int64_t first = blocks.first(group.rank());
  COTERIE_CHECK(ShapeError, choice.expert_S.sizes() == choice.token_S.sizes(), "plan: ", choice.token_S.sizes(),
                " tokens and ", choice.expert_S.sizes(), " experts assigned");
  // `combine` takes each token's rows as neighbours, and one_expert_each takes them in the order of the tokens.
  COTERIE_CHECK(ShapeError, choice.token_S.diff().ge(0).all().item<bool>(), "plan: tokens must be assigned ascending");

  Plan plan;
  plan.tokens = tokens;
  plan.choice = made;
  plan.token_S = choice.token_S;
  plan.assigned_T = at::bincount(choice.token_S, {}, tokens);
  COTERIE_CHECK(ShapeError, plan.assigned_T.size(0) == tokens, "plan: a token above ", tokens - 1, " was assigned");
  plan.one_expert_each = plan.assigned_T.eq(1).all().item<bool>();
  const at::Tensor counts_E = at::bincount(choice.expert_S, {}, experts);
  COTERIE_CHECK(ShapeError, counts_E.size(0) == experts, "plan: an expert above ", experts - 1, " was assigned");
  const std::span mine(counts_E.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(experts));
  plan.send_order_S = order_by(choice.expert_S, mine);
  plan.send_inverse_S = inverse_of(plan.send_order_S);
  if (known.empty()) known = group.all_gather_counts(mine);
  COTERIE_CHECK(ShapeError, static_cast<std::int64_t>(known.size()) == ranks * experts, "plan: ", known.size(),
                " counts for ", ranks, " ranks and ", experts, " experts");
  const CountMatrix matrix{std::move(known), experts};
  for (std::int64_t e = 0; e < experts; ++e) {
    const std::int64_t assigned = mine[static_cast<std::size_t>(e)];
    COTERIE_CHECK(ShapeError, matrix.at(group.rank(), e) == assigned, "plan: peers expect ", matrix.at(group.rank(), e),
                  " assignments to expert ", e, " from rank ", group.rank(), " of the group, it has ", assigned);
  }
  plan.send.assign(static_cast<std::size_t>(ranks), 0);
  plan.receive.assign(static_cast<std::size_t>(ranks), 0);
  plan.rows_per_expert.assign(static_cast<std::size_t>(local), 0);
  for (std::int64_t r = 0; r < ranks; ++r) {
    for (std::int64_t l = 0; l < local; ++l) {
      const std::int64_t arriving = matrix.at(r, first + l);
      plan.send[static_cast<std::size_t>(r)] += matrix.at(group.rank(), blocks.first(r) + l);
      plan.receive[static_cast<std::size_t>(r)] += arriving;
      plan.rows_per_expert[static_cast<std::size_t>(l)] += arriving;
    }
  }
  plan.expert_order_R = order_by_expert(matrix, ranks, first, local);
  plan.expert_inverse_R = inverse_of(plan.expert_order_R);
  return plan;
}

}  // namespace coterie::experts
