// The subcommands. Each returns the program's exit code, or throws an Error that carries it.
#pragma once

#include "base/error.h"
#include "cli/command_line.h"

namespace coterie::cli {

/// `coterie train [CONFIG] [key=value...]`, on ranks.
Exit train(const CommandLine& line, int& argc, char**& argv);
/// `coterie eval RUN|MODEL [CONFIG] [key=value...]`, on ranks.
Exit evaluate(const CommandLine& line, int& argc, char**& argv);
/// `coterie embed MODEL IN OUT [key=value...]`, on ranks.
Exit embed(const CommandLine& line, int& argc, char**& argv);
/// `coterie bench step|attention|layer|dispatch|tokenizer|loader [CONFIG] [key=value...]`, `step` on ranks.
Exit bench(const CommandLine& line, int& argc, char**& argv);
/// `coterie sweep CONFIG [key=value,value...]`
Exit sweep(const CommandLine& line);
/// `coterie report RUN|SWEEP [out=FILE]`
Exit report(const CommandLine& line);
/// `coterie score FILE.csv [FILE.csv] | RUN [RUN] QRELS [key=value...]`
Exit score(const CommandLine& line);
/// `coterie export RUN OUT [domain=NAME] [json=PATH]`
Exit export_model(const CommandLine& line);
/// `coterie data build [CONFIG] [key=value...]`
Exit data_build(const CommandLine& line);
/// `coterie data synth [CONFIG] [key=value...]`
Exit data_synth(const CommandLine& line);
/// `coterie data inspect FILE`
Exit data_inspect(const CommandLine& line);

}  // namespace coterie::cli
