// What the machine is, as far as a run's record and the use of its cores need it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace coterie {

/// More cores than there are.
inline constexpr std::int64_t kNoQuota = std::numeric_limits<std::int64_t>::max();

/// Cores of a cgroup's `cpu.max`, quota and period in microseconds: rounded up, `kNoQuota` for `max` or what is no
/// quota.
[[nodiscard]] std::int64_t cores_of_quota(std::string_view cpu_max);

/// Cores that the container of this process may keep busy (cgroup v2), `kNoQuota` without one.
[[nodiscard]] std::int64_t quota_cores();

/// The processor and the memory of the host, for people: `AMD EPYC 9B14, 24 GiB`.
[[nodiscard]] std::string machine_text();

}  // namespace coterie
