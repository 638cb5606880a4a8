// A pass over a piece of a batch: ranks that know each other's sequences exchange counts for learned routes alone.
#include <gtest/gtest.h>

#include "tests/harness/counting_group.h"
#include "tests/train/layouts.h"
#include "train/micro_batches.h"

namespace coterie::train {
namespace {

// All-gathers of counts in one pass over each piece of this rank's share, divided by the number of pieces.
int exchanges_of_a_pass(const model::ModelSpec& model_spec, const dist::Mesh& mesh) {
  const auto model = model::make_sentence_encoder(model_spec, test::tiny_weights(model_spec, 5), mesh, at::kFloat);
  test::CountingGroup group(mesh.expert_group());
  const model::Encoder encoder(model_spec, *model.parameters, model::expert_range(model_spec, mesh), group);
  // The last of four ranks has nothing.
  const data::Batch batch = batch_for(mesh.world().rank(), mesh.world().size());
  const auto pieces = micro_batches(batch, 20, mesh.shape());
  int exchanges = 0;
  for (const data::PackedSequences& piece : pieces) {
    (void)encoder.embed(piece, {.key = RandomKey{3}});
    exchanges += group.take()[dist::Collective::all_gather];
  }
  EXPECT_EQ(exchanges % static_cast<int>(pieces.size()), 0);
  return exchanges / static_cast<int>(pieces.size());
}

class Peers : public testing::Test {
 protected:
  // On every expert axis; a rank alone communicates nothing.
  void expect_exchanges(const std::string& name, const model::ModelSpec& model_spec, int expected) const {
    for (const std::int64_t axis : expert_axes(everyone_.world().size(), model_spec)) {
      const dist::Mesh mesh({.expert = axis}, {});
      EXPECT_EQ(exchanges_of_a_pass(model_spec, mesh), axis > 1 ? expected : 0) << name << ", axis " << axis;
    }
  }

  const dist::Mesh everyone_{{}, {}};
};

TEST_F(Peers, are_not_asked_where_routes_follow_from_what_is_known_of_them) {
  expect_exchanges("domain", spec(), 0);
  for (const Variant& each : variants())
    if (each.name == "index" || each.name == "random") expect_exchanges(each.name, each.spec, 0);
}

TEST_F(Peers, are_asked_once_for_routes_that_follow_from_tokens_and_once_a_layer_for_learned_ones) {
  expect_exchanges("learned", learned_spec(1), 2);
  for (const Variant& each : variants()) {
    if (each.name == "token_type") expect_exchanges(each.name, each.spec, 1);
    if (each.name == "switch_sentence" || each.name == "multi_head") expect_exchanges(each.name, each.spec, 2);
    if (each.name == "head") expect_exchanges(each.name, each.spec, 1);
  }
}

}  // namespace
}  // namespace coterie::train
