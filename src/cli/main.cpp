// The program: picks the subcommand, and is the only place where errors are caught.
#include <c10/util/Exception.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <thread>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/launcher.h"
#include "dist/environment.h"
#include "kernels/block_cache.h"

namespace coterie::cli {
namespace {

/// Does the work of a subcommand.
using Run = Exit (*)(const CommandLine& line, int& argc, char**& argv);

/// A command of one process, in the form of those on ranks.
template <Exit (*Command)(const CommandLine&)>
Exit alone(const CommandLine& line, int&, char**&) {
  expect_one_process(line.command);
  return Command(line);
}

enum class Config { taken, swept, not_taken };

/// A subcommand as the user sees it.
struct Subcommand {
  const char* group;  ///< `data` or nothing
  const char* name;
  const char* arguments;
  const char* help;
  Config config;
  Run run;
};

constexpr std::array<Subcommand, 11> kSubcommands = {{
    {"", "train", "[CONFIG] [key=value...]", "train a model, or continue", Config::taken, train},
    {"", "eval", "RUN|MODEL [CONFIG] [key=value...]", "pair classification and retrieval", Config::taken, evaluate},
    {"", "embed", "MODEL IN.txt|IN.jsonl|IN.h5 OUT.npy [key=value...]", "texts to an array of embeddings",
     Config::taken, embed},
    {"", "bench", "step|attention|layer|dispatch|comm|tokenizer|loader [CONFIG] [key=value...]",
     "speed of the parts beside the machine's limit", Config::taken, bench},
    {"", "sweep", "CONFIG [key=value,value...]", "a grid of runs, evaluated and compared in one table", Config::swept,
     alone<sweep>},
    {"", "report", "RUN|SWEEP [out=FILE]", "a run or a sweep as one HTML file", Config::not_taken, alone<report>},
    {"", "score", "FILE.csv [FILE.csv] | RUN [RUN] QRELS [key=value...]",
     "measures of a file prediction,label or a TREC run file, or what two of them differ by", Config::not_taken,
     alone<score>},
    {"", "export", "RUN OUT [domain=NAME] [json=PATH]", "a plain dense sentence-transformers directory",
     Config::not_taken, alone<export_model>},
    {"data", "build", "[CONFIG] [key=value...]", "sources to corpus.h5", Config::taken, alone<data_build>},
    {"data", "synth", "[CONFIG] [key=value...]", "a corpus made from nothing", Config::taken, alone<data_synth>},
    {"data", "inspect", "FILE", "what is in a corpus, and whether it leaks", Config::not_taken, alone<data_inspect>},
}};

/// Adds a subcommand to the parser: every word behind it is kept as it is.
CLI::App* add(CLI::App& parent, const Subcommand& subcommand, CommandLine& line, std::vector<std::string>& words) {
  CLI::App* app = parent.add_subcommand(subcommand.name, subcommand.help);
  const std::string command = str(subcommand.group, *subcommand.group ? " " : "", subcommand.name);
  app->footer(str("usage: coterie ", command, " ", subcommand.arguments));
  app->add_option("arguments", words, subcommand.arguments);
  if (subcommand.config == Config::swept) {
    app->add_flag("--list", line.list, "print the cells, and exit");
    app->add_flag("--status", line.status, "print where each cell stands, and exit");
  }
  if (subcommand.config != Config::not_taken) {
    app->add_flag("--print-config", line.print_config, "print the resolved config with docs and origins, and exit");
    app->add_flag("--help-config", line.help_config, "print every key with its type, default and doc, and exit");
  }
  app->callback([&line, &subcommand, command] {
    line.command = command;
    line.usage = subcommand.arguments;
  });
  return app;
}

/// Refuses a first word that is no subcommand: the parser would complain of the words behind it.
void expect_known(const CLI::App& program, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> known;
  for (const CLI::App* app : program.get_subcommands({})) known.push_back(app->get_name());
  if (std::find(known.begin(), known.end(), argv[1]) != known.end()) return;
  throw ConfigError(str("arguments: subcommand must be one of ", joined(known), ", got ", excerpt(argv[1])));
}

Exit dispatch(int argc, char** argv) {
  CLI::App program("Coterie trains sentence-embedding models whose MLPs are experts.", "coterie");
  program.require_subcommand(1);
  program.set_version_flag("--version", version_text());
  CommandLine line;
  for (int i = 0; i < argc; ++i) line.text += str(i == 0 ? "" : " ", shell_quoted(argv[i]));
  std::vector<std::string> words;
  std::array<CLI::App*, kSubcommands.size()> apps{};
  CLI::App* data = program.add_subcommand("data", "corpora: build, synth, inspect");
  data->require_subcommand(1);
  for (std::size_t i = 0; i < apps.size(); ++i) {
    const bool grouped = *kSubcommands[i].group != '\0';
    apps[i] = add(grouped ? *data : program, kSubcommands[i], line, words);
  }
  expect_known(program, argc, argv);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? Exit::ok : Exit::config;
  }
  line.sort(words);
  for (std::size_t i = 0; i < apps.size(); ++i)
    if (apps[i]->parsed()) return kSubcommands[i].run(line, argc, argv);
  return Exit::bug;
}

/// Writes out what was printed. Whoever reads the result must learn that it is not there; only an exit code that asks
/// for something else, such as to be started again, comes first.
void flush_result(Exit code) {
  errno = 0;
  std::cout.flush();
  if (!std::cout && code == Exit::ok)
    throw IoError(str("output: cannot write to standard output", errno == 0 ? "" : ": " + errno_text(errno)));
}

/// Ends the job: a rank that merely returned would leave the others in a collective.
[[noreturn]] void end(const char* what, Exit code) {
  // Errors that all ranks share are told once: rank 0 ends the others, which takes mpirun a second, before they speak.
  if (!log::leads()) std::this_thread::sleep_for(std::chrono::seconds(3));
  log::error(what);
  dist::MpiEnvironment::abort(static_cast<int>(code));
}

/// What a step frees the next one takes again: tensors from the cache of blocks, everything else from a heap that gives
/// nothing back. A fresh page costs more than the pass over it.
void keep_freed_memory() {
  constexpr int kNever = -1;
  kernels::use_block_cache();
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, kNever);
}

}  // namespace
}  // namespace coterie::cli

int main(int argc, char** argv) {
  using coterie::Exit;
  coterie::cli::keep_freed_memory();
  try {
    const Exit code = coterie::cli::dispatch(argc, argv);
    coterie::cli::flush_result(code);
    return static_cast<int>(code);
  } catch (const coterie::Error& error) {
    coterie::cli::end(error.what(), error.code());
  } catch (const std::filesystem::filesystem_error& error) {
    coterie::cli::end(error.what(), Exit::io);
  } catch (const c10::Error& error) {
    coterie::cli::end(error.what_without_backtrace(), Exit::bug);
  } catch (const std::exception& error) {
    coterie::cli::end(error.what(), Exit::bug);
  }
}
