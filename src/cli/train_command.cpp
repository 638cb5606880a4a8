// coterie train: a run on all ranks.
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file_ops.h"
#include "base/log.h"
#include "base/stop_signal.h"
#include "base/table.h"
#include "cli/commands.h"
#include "cli/ranks.h"
#include "dist/environment.h"
#include "train/trainer.h"

namespace coterie::cli {
namespace {

const char* name_of(train::Ending ending) {
  switch (ending) {
    case train::Ending::finished:
      return "finished";
    case train::Ending::stopped_early:
      return "stopped early";
    case train::Ending::preempted:
      return "preempted";
  }
  return "";
}

void report(const train::RunOptions& options, const train::Outcome& outcome) {
  const train::TrainingState& state = outcome.state;
  std::cout << "run " << (fs::path(options.runs) / options.run).string() << ": " << name_of(outcome.ending)
            << " at step " << state.step;
  if (state.best_step >= 0)
    std::cout << ", best at step " << state.best_step << " (validation average precision "
              << decimal(state.best_average_precision, 4) << ")";
  std::cout << "\n";
  if (!outcome.routers.empty())
    std::cout << "experts, over the steps since the start or the last resumption (entropy and information in nats):\n"
              << train::router_table(outcome.routers).text();
  write_json(options.json, nlohmann::json{{"ending", name_of(outcome.ending)},
                                          {"step", state.step},
                                          {"best_step", state.best_step},
                                          {"best_average_precision", state.best_average_precision}}
                               .dump(2));
}

}  // namespace

Exit train(const CommandLine& line, int& argc, char**& argv) {
  line.expect(0, 1);
  const std::string file = line.positional.empty() ? "" : line.positional[0];
  if (print_and_exit(file, line)) return Exit::ok;
  catch_stop_signals();
  const dist::MpiEnvironment mpi(argc, argv);
  const Configuration configuration = shared_configuration(file, line);
  dist::Mesh mesh = make_mesh(configuration.options, Layout::as_configured);
  expect_writable_for_all(mesh, {configuration.options.json});
  const std::string kept = provenance(line, mesh.world().size()) + configuration.text;
  train::Trainer trainer(configuration.options, kept, mesh, real_file_ops());
  const train::Outcome outcome = trainer.run();
  if (mesh.world().rank() == 0) report(configuration.options, outcome);
  return outcome.ending == train::Ending::preempted ? Exit::preempted : Exit::ok;
}

}  // namespace coterie::cli
