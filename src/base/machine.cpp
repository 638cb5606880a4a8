// Reading what the kernel says of the machine.
#include "base/machine.h"

#include <unistd.h>

#include <cmath>
#include <fstream>

#include "base/str.h"
#include "base/text.h"

namespace coterie {
namespace {

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return std::string(trimmed(std::string_view(line).substr(line.find(':') + 1)));
  return "unknown processor";
}

}  // namespace

std::int64_t cores_of_quota(std::string_view cpu_max) {
  constexpr std::uint64_t kMost = 1'000'000'000'000;
  const auto parts = words(cpu_max);
  if (parts.size() != 2) return kNoQuota;
  const auto quota = to_number(parts[0], kMost);
  const auto period = to_number(parts[1], kMost);
  if (!quota || !period || *quota < 1 || *period < 1) return kNoQuota;
  return static_cast<std::int64_t>((*quota - 1) / *period + 1);
}

std::int64_t quota_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string line;
  std::getline(file, line);
  return cores_of_quota(line);
}

std::string machine_text() {
  constexpr double kGib = 1024.0 * 1024.0 * 1024.0;
  const double bytes = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGE_SIZE));
  return str(processor_name(), ", ", static_cast<std::int64_t>(std::lround(bytes / kGib)), " GiB");
}

}  // namespace coterie
