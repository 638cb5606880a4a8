#include "cli/step_trace.h"

#include <torch/csrc/autograd/profiler_kineto.h>

namespace coterie::cli {

namespace profiler = torch::autograd::profiler;
using torch::profiler::impl::ActivityType;

StepTrace::StepTrace(const dist::Device& device) {
  const torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO);
  std::set<ActivityType> activities = {ActivityType::CPU};
  if (!device.place().is_cpu()) activities.insert(ActivityType::CUDA);
  profiler::prepareProfiler(config, activities);
  profiler::enableProfiler(config, activities);
}

StepTrace::~StepTrace() {
  if (recording_) profiler::disableProfiler();
}

void StepTrace::write(const std::string& file) {
  recording_ = false;
  profiler::disableProfiler()->save(file);
}

}  // namespace coterie::cli
