// Who gets which GPU, and what is said where there are too few.
#include "dist/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "dist/solo_group.h"

namespace coterie::dist {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Gpu::Id id(std::uint8_t number) {
  Gpu::Id out{};
  out[0] = number;
  return out;
}

TEST(AssignGpus, gives_each_rank_its_own_where_all_see_all) {
  EXPECT_THAT(assign_gpus({{id(1), id(2), id(3)}, {id(1), id(2), id(3)}}), ElementsAre(0, 1));
}

TEST(AssignGpus, takes_the_only_one_where_each_rank_sees_its_own) {
  EXPECT_THAT(assign_gpus({{id(7)}, {id(8)}, {id(9)}}), ElementsAre(0, 0, 0));
}

TEST(AssignGpus, follows_the_gpu_not_its_number) {
  EXPECT_THAT(assign_gpus({{id(1), id(2)}, {id(2), id(1)}}), ElementsAre(0, 0));
}

TEST(AssignGpus, leaves_the_last_ranks_without_where_there_are_too_few) {
  EXPECT_THAT(assign_gpus({{id(1), id(2)}, {id(1), id(2)}, {id(1), id(2)}}), ElementsAre(0, 1, -1));
  EXPECT_THAT(assign_gpus({{id(1)}, {id(1)}}), ElementsAre(0, -1));
}

TEST(ChooseDevice, is_the_cpu_where_that_is_wanted) {
  const auto solo = make_solo_group();

  const Device device = choose_device(DeviceKind::cpu, {}, *solo, *solo);

  EXPECT_TRUE(device.place().is_cpu());
  EXPECT_EQ(device.name(), "CPU");
}

TEST(ChooseDevice, without_a_gpu_is_the_cpu_or_an_error_that_says_why) {
  if (!visible_gpus().gpus.empty()) GTEST_SKIP() << "there is a GPU";
  const auto solo = make_solo_group();

  EXPECT_TRUE(choose_device(DeviceKind::automatic, {}, *solo, *solo).place().is_cpu());
  try {
    (void)choose_device(DeviceKind::cuda, {}, *solo, *solo);
    ADD_FAILURE() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("config: device is cuda, and there is no GPU: "));
    EXPECT_THAT(error.what(), HasSubstr(visible_gpus().why_none));
  }
}

}  // namespace
}  // namespace coterie::dist
