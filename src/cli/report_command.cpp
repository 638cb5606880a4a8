// coterie report: a run or a sweep as one HTML file.
#include <iostream>

#include "base/file_ops.h"
#include "cli/commands.h"
#include "config/config.h"
#include "report/report.h"

namespace coterie::cli {

/// Settings of `coterie report`.
struct ReportOptions {
  std::string out;
};

inline void describe(config::Visitor& v, ReportOptions& o) {
  v.field("out", o.out, "the HTML file; empty: report.html in the folder");
}

Exit report(const CommandLine& line) {
  line.expect(1, 1);
  const auto options = config::read<ReportOptions>(config::compose(line.settings));
  const fs::path folder = line.positional[0];
  const fs::path out = options.out.empty() ? folder / "report.html" : fs::path(options.out);
  const std::string html = report::report(folder);
  write_file_atomically(*real_file_ops(), out, html);
  std::cout << "wrote " << out.string() << "\n";
  return Exit::ok;
}

}  // namespace coterie::cli
