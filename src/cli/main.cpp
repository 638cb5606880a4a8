// The program: picks the subcommand, and is the only place where errors are caught.
#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iostream>
#include <thread>

#include "base/error.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "dist/environment.h"

namespace coterie::cli {
namespace {

using Run = std::function<Exit(const CommandLine&)>;

// One subcommand as CLI11 sees it: every word behind it is kept as it is.
struct Subcommand {
  CLI::App* app;
  Run run;
};

Subcommand add(CLI::App& parent, CommandLine& line, std::vector<std::string>& words, const std::string& name,
               const std::string& usage, const std::string& help, bool has_config, Run run) {
  CLI::App* app = parent.add_subcommand(name, help);
  app->footer("usage: coterie " + usage);
  app->add_option("arguments", words, usage);
  if (has_config) {
    app->add_flag("--print-config", line.print_config, "print the resolved config with docs and origins, and exit");
    app->add_flag("--help-config", line.help_config, "print every key with its type, default and doc, and exit");
  }
  return {app, std::move(run)};
}

Exit dispatch(int argc, char** argv) {
  CLI::App program("Coterie trains sentence-embedding models whose MLPs are experts.", "coterie");
  program.require_subcommand(1);
  program.set_version_flag("--version", version_text());
  CommandLine line;
  for (int i = 0; i < argc; ++i) line.text += str(i == 0 ? "" : " ", argv[i]);
  std::vector<std::string> words;
  int mpi_argc = argc;
  char** mpi_argv = argv;
  const auto ranked = [&](auto command) {
    return [&, command](const CommandLine& l) { return command(l, mpi_argc, mpi_argv); };
  };
  CLI::App* data = program.add_subcommand("data", "corpora: build, synth, inspect");
  data->require_subcommand(1);
  const std::vector<Subcommand> subcommands = {
      add(program, line, words, "train", "train [CONFIG] [key=value...]", "train a model, or continue", true,
          ranked(train)),
      add(program, line, words, "eval", "eval RUN|MODEL [CONFIG] [key=value...]", "pair classification", true,
          ranked(evaluate)),
      add(program, line, words, "embed", "embed MODEL IN.txt|IN.jsonl|IN.h5 OUT.npy [key=value...]",
          "texts to an array of embeddings", true, ranked(embed)),
      add(program, line, words, "bench", "bench step|tokenizer|loader [CONFIG] [key=value...]",
          "speed of the parts beside the machine's limit", true, ranked(bench)),
      add(program, line, words, "score", "score FILE.csv [json=PATH]", "measures of a file prediction,label", false,
          score),
      add(program, line, words, "export", "export RUN OUT [domain=NAME] [json=PATH]",
          "a plain dense sentence-transformers directory", false, export_model),
      add(*data, line, words, "build", "data build [CONFIG] [key=value...]", "sources to corpus.h5", true, data_build),
      add(*data, line, words, "synth", "data synth [CONFIG] [key=value...]", "a corpus made from nothing", true,
          data_synth),
      add(*data, line, words, "inspect", "data inspect FILE", "what is in a corpus, and whether it leaks", false,
          data_inspect)};
  std::string known;
  bool found = argc < 2 || argv[1][0] == '-';
  for (const CLI::App* app : program.get_subcommands({})) {
    known += (known.empty() ? "" : ", ") + app->get_name();
    found = found || app->get_name() == argv[1];
  }
  if (!found) throw ConfigError(str("arguments: subcommand must be one of ", known, ", got '", argv[1], "'"));
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? Exit::ok : Exit::config;
  }
  line.sort(words);
  for (const Subcommand& subcommand : subcommands)
    if (subcommand.app->parsed()) return subcommand.run(line);
  return Exit::bug;
}

// Ends the job: a rank that merely returned would leave the others in a collective.
[[noreturn]] void end(const char* what, Exit code) {
  // Errors that all ranks share are told once: rank 0 ends the others, which takes mpirun a second, before they speak.
  if (!log::leads()) std::this_thread::sleep_for(std::chrono::seconds(3));
  log::error(what);
  dist::MpiEnvironment::abort(static_cast<int>(code));
}

}  // namespace
}  // namespace coterie::cli

int main(int argc, char** argv) {
  using coterie::Exit;
  try {
    return static_cast<int>(coterie::cli::dispatch(argc, argv));
  } catch (const coterie::Error& error) {
    coterie::cli::end(error.what(), error.code());
  } catch (const std::filesystem::filesystem_error& error) {
    coterie::cli::end(error.what(), Exit::io);
  } catch (const std::exception& error) {
    coterie::cli::end(error.what(), Exit::bug);
  }
}
