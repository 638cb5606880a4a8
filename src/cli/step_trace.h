// What a training step does, as a trace: its operators and, on a GPU, its kernels.
#pragma once

#include <string>

#include "dist/device.h"

namespace coterie::cli {

/// Records from its construction to `write`. One at a time; what it records runs slower.
class StepTrace {
 public:
  explicit StepTrace(const dist::Device& device);
  StepTrace(const StepTrace&) = delete;
  StepTrace& operator=(const StepTrace&) = delete;
  /// An unwritten record is thrown away.
  ~StepTrace();

  /// Ends the record and writes it as JSON of Chrome's trace events.
  void write(const std::string& file);

 private:
  bool recording_ = true;
};

}  // namespace coterie::cli
