#include "sweep/slurm.h"

#include <algorithm>

#include "base/error.h"
#include "base/excerpt.h"

namespace coterie::sweep {

std::string array_of(const std::vector<std::size_t>& jobs) {
  std::string text;
  for (std::size_t i = 0; i < jobs.size();) {
    std::size_t last = i;
    while (last + 1 < jobs.size() && jobs[last + 1] == jobs[last] + 1) ++last;
    text += str(text.empty() ? "" : ",", jobs[i]);
    if (last > i) text += str("-", jobs[last]);
    i = last + 1;
  }
  return text;
}

std::vector<std::size_t> unfinished(const Plan& plan) {
  std::vector<std::size_t> jobs;
  for (std::size_t i = 0; i < plan.cells.size(); ++i)
    if (!is_finished(plan.folder_of(plan.cells[i]))) jobs.push_back(i);
  return jobs;
}

std::vector<std::string> sbatch_command(const Plan& plan, const std::vector<std::size_t>& jobs, const ArrayJob& job) {
  std::int64_t ranks = 1;
  std::int64_t threads = 0;
  for (const std::size_t i : jobs) {
    ranks = std::max(ranks, plan.cells[i].ranks);
    threads = std::max(threads, plan.cells[i].threads);
  }
  // Slurm hands its environment to the tasks: they run the binary that submitted them.
  std::vector<std::string> words = {"env",        str("COTERIE_BINARY=", job.program), "sbatch",
                                    "--parsable", str("--array=", array_of(jobs)),     str("--ntasks=", ranks)};
  // Where no cell says how many, each takes the cores that the script asks for.
  if (threads > 0) words.push_back(str("--cpus-per-task=", threads));
  words.push_back(job.script);
  words.insert(words.end(), job.arguments.begin(), job.arguments.end());
  return words;
}

std::string submit(const Plan& plan, const std::vector<std::size_t>& jobs, const ArrayJob& job, Processes& processes) {
  const fs::path log = plan.folder / "sbatch.log";
  std::error_code error;
  fs::create_directories(plan.folder, error);
  if (error) throw IoError(str("sweep: cannot make directory '", plan.folder.string(), "': ", error.message()));
  fs::remove(log, error);
  static_cast<void>(processes.start({sbatch_command(plan, jobs, job), log}));
  std::optional<Ended> ended;
  while (!ended) ended = processes.wait(1.0);
  std::string said = read_file(log);
  said.erase(said.find_last_not_of("\n\r ") + 1);
  if (ended->code != 0)
    throw IoError(
        str("slurm: sbatch must exit with 0, got ", ended->code, ": ", printable(said), " (", job.script, ")"));
  return said.substr(said.rfind('\n') + 1);
}

}  // namespace coterie::sweep
