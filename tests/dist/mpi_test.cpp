// MPI's failures arrive as errors of ours.
#include "dist/mpi.h"

#include "base/error.h"
#include "groups.h"

namespace coterie::dist {
namespace {

TEST(Mpi, a_failed_call_says_what_was_tried_and_why_it_failed) {
  const std::string message = message_of<CommError>([] { check_mpi(MPI_ERR_COMM, "do a thing"); });

  EXPECT_EQ(message.find("mpi: cannot do a thing: MPI_ERR_COMM"), 0u) << message;
}

TEST(Mpi, a_failure_that_mpi_reports_has_exit_code_79) {
  try {
    check_mpi(MPI_ERR_OTHER, "reach a peer");
    ADD_FAILURE() << "it passed";
  } catch (const CommError& error) {
    EXPECT_EQ(static_cast<int>(error.code()), 79);
  }
}

TEST(Mpi, errors_on_our_communicators_are_returned_instead_of_ending_the_job) {
  const Communicator world = Communicator::world();
  const Communicator part = world.split(world.rank() % 2, 0);
  for (const Communicator* comm : {&world, &part}) {
    const int nobody = comm->size();
    EXPECT_THROW(check_mpi(MPI_Send(nullptr, 0, MPI_BYTE, nobody, 0, comm->raw()), "send to nobody"), CommError);
  }
}

TEST(Mpi, a_group_refuses_messages_that_mpi_cannot_count) {
  EXPECT_THROW(make_world(0), ShapeError);
  EXPECT_THROW(make_world(std::int64_t{1} << 31), ShapeError);
}

}  // namespace
}  // namespace coterie::dist
