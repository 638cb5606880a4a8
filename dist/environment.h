// MPI's life in this process: the first object that a command on ranks owns, and the way to end the whole job.
#pragma once

namespace coterie::dist {

/// Starts MPI and ends it. Owned first by `main`'s command, so that every communicator dies before it.
///
/// Works under mpirun, under `srun --mpi=pmix`, and alone, as a world of one rank.
class MpiEnvironment {
 public:
  /// @throws CommError if MPI cannot start or lacks MPI_THREAD_SERIALIZED
  MpiEnvironment(int& argc, char**& argv);
  MpiEnvironment(const MpiEnvironment&) = delete;
  MpiEnvironment& operator=(const MpiEnvironment&) = delete;
  /// Finalises MPI, which waits for all ranks; not while an exception is under way, because then this rank is alone
  /// and would wait for ever: whoever catches it calls `abort`.
  ~MpiEnvironment();

  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }

  /// Ends every rank of the job with the exit code `code`. Call it where the exception that ended a rank is caught.
  ///
  /// With one rank, or outside MPI, it ends the process only.
  [[noreturn]] static void abort(int code) noexcept;

 private:
  int exceptions_;
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace coterie::dist
