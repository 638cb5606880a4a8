// main of multi-rank tests: a lone fatal failure ends the job instead of leaving the peers in a collective.
#include <gtest/gtest.h>
#include <mpi.h>

#include <algorithm>
#include <cstdio>

namespace {

class RankedFailures : public testing::EmptyTestEventListener {
 public:
  RankedFailures(int rank, int size) : rank_(rank), size_(size) {}

  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "[rank %d/%d] %s:%d\n%s\n", rank_, size_, result.file_name() ? result.file_name() : "?",
                 result.line_number(), result.message());
    // The others may be waiting in a collective that this rank will never enter.
    if (result.fatally_failed() && size_ > 1) MPI_Abort(MPI_COMM_WORLD, 1);
  }

 private:
  int rank_;
  int size_;
};

}  // namespace

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided);
  testing::InitGoogleTest(&argc, argv);
  int rank = 0;
  int size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  if (rank != 0) delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new RankedFailures(rank, size));

  const int mine = RUN_ALL_TESTS();

  const auto& unit = *testing::UnitTest::GetInstance();
  const int skipped = unit.test_to_run_count() > 0 && unit.skipped_test_count() == unit.test_to_run_count() ? 1 : 0;
  int worst = 0;
  int all_skipped = 0;
  MPI_Allreduce(&mine, &worst, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  MPI_Allreduce(&skipped, &all_skipped, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
  MPI_Finalize();
  return worst == 0 && all_skipped == 1 ? 77 : worst;
}
