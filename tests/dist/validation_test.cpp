// Arguments that do not fit are refused before anything is sent: otherwise the group would not work afterwards.
#include "base/error.h"
#include "groups.h"

namespace coterie::dist {
namespace {

class Validation : public OnEveryBackend {
 protected:
  /// The call must fail on this rank alone, and leave the group as it was.
  template <class Call>
  void expect_refused(const std::string& part_of_message, Call&& call) {
    const std::string message = message_of<ShapeError>(call);
    EXPECT_NE(message.find(part_of_message), std::string::npos) << message;
    EXPECT_EQ(group().all_reduce(1), size());
  }
  const at::Tensor rows_ = at::empty({size(), 2}, at::kFloat);
};

INSTANTIATE_TEST_SUITE_P(Groups, Validation, testing::ValuesIn(backends()), BackendName());

TEST_P(Validation, all_to_all_refuses_send_counts_that_do_not_sum_to_the_rows) {
  Splits send = splits(1);
  Splits receive = splits(1);
  send[0] += 1;
  receive[0] += 1;

  expect_refused(
      "all_to_all: send counts sum to " + std::to_string(size() + 1) + ", rows has " + std::to_string(size()),
      [&] { static_cast<void>(group().all_to_all(rows_, send, receive)); });
}

TEST_P(Validation, all_to_all_refuses_a_count_vector_of_the_wrong_length) {
  Splits longer = splits(1);
  longer.push_back(0);

  expect_refused("receive counts, one per rank, got " + std::to_string(size() + 1),
                 [&] { static_cast<void>(group().all_to_all(rows_, splits(1), longer)); });
}

TEST_P(Validation, all_to_all_refuses_negative_counts) {
  expect_refused("must not be negative, got -1 for rank 0",
                 [&] { static_cast<void>(group().all_to_all(rows_, splits(1), splits(-1))); });
}

TEST_P(Validation, all_to_all_refuses_two_opinions_on_the_own_block) {
  Splits receive = splits(1);
  receive[static_cast<std::size_t>(rank())] = 3;

  expect_refused("sends itself 1 rows, but receives 3 from itself",
                 [&] { static_cast<void>(group().all_to_all(rows_, splits(1), receive)); });
}

TEST_P(Validation, all_to_all_refuses_rows_that_are_not_contiguous) {
  const at::Tensor columns = at::empty({2, size()}, at::kFloat).t().narrow(1, 0, 2);

  if (size() > 1)
    expect_refused("must be contiguous and on the CPU or a GPU",
                   [&] { static_cast<void>(group().all_to_all(columns, splits(1), splits(1))); });
  expect_refused("must be defined", [&] { static_cast<void>(group().all_to_all({}, splits(1), splits(1))); });
  expect_refused("got a scalar", [&] { static_cast<void>(group().all_to_all(at::empty({}), splits(1), splits(1))); });
}

TEST_P(Validation, all_reduce_refuses_a_dtype_it_cannot_add) {
  at::Tensor values = at::empty({3}, at::kByte);

  expect_refused("dtype must be one of Float, Double, Long, got Byte", [&] { group().all_reduce(values); });
}

TEST_P(Validation, all_gather_and_reduce_scatter_refuse_counts_that_do_not_fit) {
  expect_refused("this rank's count is " + std::to_string(size() + 1),
                 [&] { static_cast<void>(group().all_gather(rows_, splits(size() + 1))); });
  expect_refused("counts sum to " + std::to_string(2 * size()),
                 [&] { static_cast<void>(group().reduce_scatter(rows_, splits(2))); });
}

TEST_P(Validation, broadcast_refuses_a_root_outside_the_group) {
  at::Tensor values = rows_.clone();

  expect_refused("root must be in 0..", [&] { group().broadcast(values, size()); });
  expect_refused("got -1", [&] { group().broadcast(values, -1); });
}

}  // namespace
}  // namespace coterie::dist
