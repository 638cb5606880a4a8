// coterie bench: picks what is measured.
#include "cli/bench.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/launcher.h"

namespace coterie::cli {
Exit bench(const CommandLine& line, int& argc, char**& argv) {
  line.expect(1, 2);
  const std::string file = line.positional.size() > 1 ? line.positional[1] : "";
  if (print_and_exit(file, line)) return Exit::ok;
  const std::string& what = line.positional[0];
  if (what == "step") return bench_step(file, line, argc, argv);
  if (what == "attention" || what == "tokenizer" || what == "loader") expect_one_process("bench " + what);
  if (what == "attention") return bench_attention(file, line);
  if (what == "layer") return bench_layer(file, line, argc, argv);
  if (what == "dispatch") return bench_dispatch(file, line, argc, argv);
  if (what == "comm") return bench_comm(file, line, argc, argv);
  if (what == "tokenizer") return bench_tokenizer(file, line);
  if (what == "loader") return bench_loader(file, line);
  throw ConfigError(
      str("arguments: bench measures step, attention, layer, dispatch, comm, tokenizer or loader, got '", what, "'"));
}

}  // namespace coterie::cli
