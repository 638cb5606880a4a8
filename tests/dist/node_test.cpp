// How the cores of a node are shared, and what is worth a warning.
#include "dist/node.h"

#include <gtest/gtest.h>
#include <sched.h>

#include "dist/solo_group.h"

namespace coterie::dist {
namespace {

TEST(Threads, are_this_ranks_share_of_the_cores) {
  const NodeShare unbound{.ranks = 2, .own_cores = 9, .all_cores = 9, .machine_cores = 9};

  EXPECT_EQ(threads_for({}, unbound), 4);
}

TEST(Threads, are_never_more_than_a_bound_rank_may_use) {
  const NodeShare bound{.ranks = 2, .own_cores = 2, .all_cores = 10, .machine_cores = 10};

  EXPECT_EQ(threads_for({}, bound), 2);
}

TEST(Threads, are_at_least_one_with_more_ranks_than_cores) {
  const NodeShare crowded{.ranks = 4, .own_cores = 2, .all_cores = 2, .machine_cores = 2};

  EXPECT_EQ(threads_for({}, crowded), 1);
}

TEST(Threads, are_those_configured) {
  const NodeShare node{.ranks = 1, .own_cores = 2, .all_cores = 2, .machine_cores = 2};

  EXPECT_EQ(threads_for({.threads = 3}, node), 3);
}

TEST(Placement, warns_of_ranks_pinned_to_one_core_while_there_are_more) {
  const NodeShare pinned{.ranks = 2, .own_cores = 1, .all_cores = 2, .machine_cores = 8};

  EXPECT_EQ(placement_warning({}, pinned),
            "node: each of the 2 ranks here is pinned to one core, the node has 8; start with `mpirun --bind-to none` "
            "or launch/run.sh");
}

TEST(Placement, is_silent_where_every_core_has_its_rank) {
  const NodeShare full{.ranks = 2, .own_cores = 1, .all_cores = 2, .machine_cores = 2};

  EXPECT_EQ(placement_warning({}, full), "");
}

TEST(Placement, warns_of_more_threads_than_cores) {
  const NodeShare bound{.ranks = 2, .own_cores = 2, .all_cores = 4, .machine_cores = 4};
  const NodeShare unbound{.ranks = 2, .own_cores = 4, .all_cores = 4, .machine_cores = 4};

  EXPECT_EQ(placement_warning({.threads = 3}, bound), "node: dist.threads is 3, but this rank may use 2 cores only");
  EXPECT_EQ(placement_warning({.threads = 3}, unbound),
            "node: dist.threads (3) * ranks on this node (2) = 6, but its ranks may use 4 cores only");
  EXPECT_EQ(placement_warning({.threads = 2}, unbound), "");
}

TEST(Survey, counts_the_cores_that_this_process_may_use) {
  cpu_set_t saved;
  ASSERT_EQ(sched_getaffinity(0, sizeof(saved), &saved), 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int core = 0; CPU_COUNT(&one) == 0; ++core)
    if (CPU_ISSET(core, &saved)) CPU_SET(core, &one);
  const auto solo = make_solo_group();

  const NodeShare before = survey_node(*solo);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  const NodeShare pinned = survey_node(*solo);
  sched_setaffinity(0, sizeof(saved), &saved);

  EXPECT_EQ(before.own_cores, CPU_COUNT(&saved));
  EXPECT_EQ(pinned.own_cores, 1);
  EXPECT_EQ(pinned.all_cores, 1);
  // The parent was not pinned, so what it may use is still known.
  EXPECT_GE(pinned.machine_cores, before.own_cores);
}

}  // namespace
}  // namespace coterie::dist
