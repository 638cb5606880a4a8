// What every backend must do, on any number of ranks. Values are small integers: sums are exact in every type.
#include <numeric>
#include <type_traits>

#include "groups.h"

namespace coterie::dist {
namespace {

class Conformance : public OnEveryBackend {};

INSTANTIATE_TEST_SUITE_P(Groups, Conformance, testing::ValuesIn(backends()), BackendName());

/// Calls `body` with a value of every type that can be reduced.
template <class Body>
void for_each_reducible(Body body) {
  body(float{});
  body(double{});
  body(std::int64_t{});
}

TEST_P(Conformance, all_to_all_delivers_every_row_in_the_order_of_senders) {
  // Rank r sends (r + 2 j) mod 3 rows to rank j: unequal and zero counts. A row is {r, j, its place in the block}.
  const auto count = [](int from, int to) { return (from + 2 * to) % 3; };
  Splits send;
  Splits receive;
  std::vector<float> rows;
  std::vector<float> expected;
  for (int peer = 0; peer < size(); ++peer) {
    send.push_back(count(rank(), peer));
    receive.push_back(count(peer, rank()));
    for (int i = 0; i < send.back(); ++i)
      rows.insert(rows.end(), {static_cast<float>(rank()), static_cast<float>(peer), static_cast<float>(i)});
    for (int i = 0; i < receive.back(); ++i)
      expected.insert(expected.end(), {static_cast<float>(peer), static_cast<float>(rank()), static_cast<float>(i)});
  }

  const at::Tensor received = group().all_to_all(placed(rows_of(rows, 3)), send, receive);

  EXPECT_EQ(received.size(1), 3);
  EXPECT_EQ(values_of<float>(received), expected);
}

TEST_P(Conformance, all_to_all_moves_any_dtype_and_shape_of_row) {
  const at::Tensor bytes = at::empty({size(), 2, 2}, at::kByte);
  std::fill_n(bytes.data_ptr<std::uint8_t>(), bytes.numel(), static_cast<std::uint8_t>(rank() + 1));
  const at::Tensor rows = placed(bytes);

  const at::Tensor received = group().all_to_all(rows, splits(1), splits(1));

  EXPECT_EQ(received.sizes(), rows.sizes());
  for (int peer = 0; peer < size(); ++peer) EXPECT_EQ(received[peer][1][1].item<int>(), peer + 1);
}

TEST_P(Conformance, all_to_all_of_nothing_is_empty_and_keeps_the_row_shape) {
  const at::Tensor received = group().all_to_all(placed(at::empty({0, 5}, at::kFloat)), splits(0), splits(0));

  EXPECT_EQ(received.sizes(), (std::vector<std::int64_t>{0, 5}));
}

TEST_P(Conformance, all_to_all_with_one_receiver_gathers_there) {
  Splits send = splits(0);
  send[0] = 2;
  const Splits receive = splits(rank() == 0 ? 2 : 0);
  const auto value = static_cast<double>(rank());

  const at::Tensor received = group().all_to_all(placed(rows_of<double>({value, value + 0.5}, 1)), send, receive);

  std::vector<double> expected;
  for (int peer = 0; rank() == 0 && peer < size(); ++peer) expected.insert(expected.end(), {1.0 * peer, peer + 0.5});
  EXPECT_EQ(values_of<double>(received), expected);
}

TEST_P(Conformance, all_reduce_sums_in_place) {
  for_each_reducible([&](auto zero) {
    using Value = decltype(zero);
    std::vector<Value> values(5);
    std::iota(values.begin(), values.end(), static_cast<Value>(10 * rank()));
    at::Tensor tensor = placed(rows_of(values, 5));

    group().all_reduce(tensor);

    std::vector<Value> expected;
    for (int i = 0; i < 5; ++i) expected.push_back(static_cast<Value>(10 * size() * (size() - 1) / 2 + i * size()));
    EXPECT_EQ(values_of<Value>(tensor), expected);
  });
}

TEST_P(Conformance, all_reduce_finds_the_greatest_and_the_least) {
  for_each_reducible([&](auto zero) {
    using Value = decltype(zero);
    at::Tensor greatest = placed(rows_of<Value>({static_cast<Value>(rank()), static_cast<Value>(-rank())}, 2));
    at::Tensor least = greatest.clone();

    group().all_reduce(greatest, Reduce::max);
    group().all_reduce(least, Reduce::min);

    const auto last = static_cast<Value>(size() - 1);
    EXPECT_EQ(values_of<Value>(greatest), (std::vector<Value>{last, 0}));
    EXPECT_EQ(values_of<Value>(least), (std::vector<Value>{0, static_cast<Value>(-last)}));
  });
}

TEST_P(Conformance, all_reduce_is_right_in_every_element_at_every_size) {
  // Around the borders between one round, one chunk (4 MiB) and several; 12-byte messages would take for ever there.
  const bool tiny_messages = GetParam().name == "mpi_world_in_tiny_messages";
  for (const std::int64_t count : {0, 1, 2047, 2048, 2049, 3001, (1 << 20) + 7, (2 << 20) + 1}) {
    if (tiny_messages && count > 3001) continue;
    at::Tensor mine = at::empty({count}, at::kFloat);
    for (std::int64_t i = 0; i < count; ++i) mine.data_ptr<float>()[i] = static_cast<float>(i % 1000 + rank());
    at::Tensor values = placed(mine);

    group().all_reduce(values);

    const std::vector<float> reduced = values_of<float>(values);
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto expected = static_cast<float>((i % 1000) * size() + size() * (size() - 1) / 2);
      wrong += reduced[static_cast<std::size_t>(i)] == expected ? 0 : 1;
    }
    EXPECT_EQ(wrong, 0) << "of " << count;
  }
}

TEST_P(Conformance, all_reduce_of_an_integer_and_of_a_condition) {
  EXPECT_EQ(group().all_reduce(rank() + 1), size() * (size() + 1) / 2);
  EXPECT_EQ(group().all_reduce(rank(), Reduce::max), size() - 1);
  EXPECT_TRUE(group().any(rank() == size() - 1));
  EXPECT_FALSE(group().any(false));
}

TEST_P(Conformance, all_gather_returns_rows_in_rank_order) {
  // Rank r has r rows: the first has none.
  Splits counts;
  std::vector<std::int64_t> expected;
  for (int peer = 0; peer < size(); ++peer) {
    counts.push_back(peer);
    expected.insert(expected.end(), static_cast<std::size_t>(2 * peer), peer);
  }
  const std::vector<std::int64_t> mine(static_cast<std::size_t>(2 * rank()), rank());

  const at::Tensor all = group().all_gather(placed(rows_of(mine, 2)), counts);

  EXPECT_EQ(all.size(0), size() * (size() - 1) / 2);
  EXPECT_EQ(values_of<std::int64_t>(all), expected);
}

TEST_P(Conformance, reduce_scatter_returns_the_sum_of_this_ranks_block) {
  // Block r has r + 1 rows, but block 1 none; element i of all rows is i + rank.
  Splits counts;
  std::int64_t begin = 0;
  for (int peer = 0; peer < size(); ++peer) {
    counts.push_back(peer == 1 ? 0 : peer + 1);
    if (peer < rank()) begin += 2 * counts.back();
  }
  for_each_reducible([&](auto zero) {
    using Value = decltype(zero);
    std::vector<Value> values(2 * static_cast<std::size_t>(std::accumulate(counts.begin(), counts.end(), 0L)));
    std::iota(values.begin(), values.end(), static_cast<Value>(rank()));

    const at::Tensor block = group().reduce_scatter(placed(rows_of(values, 2)), counts);

    std::vector<Value> expected;
    for (std::int64_t i = 0; i < 2 * counts[static_cast<std::size_t>(rank())]; ++i)
      expected.push_back(static_cast<Value>((begin + i) * size() + size() * (size() - 1) / 2));
    EXPECT_EQ(values_of<Value>(block), expected);
  });
}

TEST_P(Conformance, broadcast_hands_the_roots_values_to_all) {
  for (int root = 0; root < size(); ++root) {
    at::Tensor values = placed(rows_of<double>({100.0 * rank(), 1.0 * rank(), -7}, 3));

    group().broadcast(values, root);

    EXPECT_EQ(values_of<double>(values), (std::vector<double>{100.0 * root, 1.0 * root, -7}));
  }
}

TEST_P(Conformance, broadcast_of_text_carries_any_bytes_and_any_length) {
  const int root = size() - 1;
  for (const std::string& text : {std::string(), std::string("a\0b\xff", 4), std::string(10000, 'x')})
    EXPECT_EQ(group().broadcast(rank() == root ? text : "elsewhere", root), text);
}

TEST_P(Conformance, counts_of_all_ranks_form_a_matrix) {
  const std::vector<std::int64_t> mine = {rank(), std::int64_t{1} << 40, -rank()};

  const auto matrix = group().all_gather_counts(mine);

  std::vector<std::int64_t> expected;
  for (std::int64_t peer = 0; peer < size(); ++peer)
    expected.insert(expected.end(), {peer, std::int64_t{1} << 40, -peer});
  EXPECT_EQ(matrix, expected);
}

TEST_P(Conformance, results_are_detached) {
  const at::Tensor rows = placed(rows_of<float>({1}, 1)).requires_grad_();

  EXPECT_FALSE(group().all_gather(rows, splits(1)).requires_grad());
}

TEST_P(Conformance, a_barrier_and_many_collectives_in_a_row_do_not_mix) {
  // More than 4096, after which message tags repeat.
  for (int i = 0; i < 4200; ++i) {
    ASSERT_EQ(group().all_reduce(i), std::int64_t{i} * size());
    if (i % 500 == 0) group().barrier();
  }
}

TEST_P(Conformance, many_collectives_are_under_way_at_once) {
  // On GPUs nothing waits for them in the second loop; broadcasts have nothing but messages on their streams.
  std::vector<at::Tensor> sums;
  std::vector<at::Tensor> sent;
  std::vector<at::Tensor> received;
  std::vector<at::Tensor> shared;
  for (int i = 0; i < 500; ++i) {
    sums.push_back(placed(rows_of<float>({static_cast<float>(i), static_cast<float>(rank())}, 1)));
    sent.push_back(placed(at::full({size(), 1}, i, at::kLong)));
    shared.push_back(placed(at::full({3}, 1000 * rank() + i, at::kLong)));
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    group().all_reduce(sums[i]);
    received.push_back(group().all_to_all(sent[i], splits(1), splits(1)));
  }
  for (at::Tensor& values : shared) group().broadcast(values, size() - 1);

  const auto ranks = static_cast<float>(size());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const auto n = static_cast<std::int64_t>(i);
    ASSERT_EQ(values_of<float>(sums[i]), (std::vector<float>{static_cast<float>(i) * ranks, ranks * (ranks - 1) / 2}));
    ASSERT_EQ(values_of<std::int64_t>(received[i]), std::vector<std::int64_t>(static_cast<std::size_t>(size()), n));
    ASSERT_EQ(values_of<std::int64_t>(shared[i]), std::vector<std::int64_t>(3, 1000 * (size() - 1) + n));
  }
}

}  // namespace
}  // namespace coterie::dist
