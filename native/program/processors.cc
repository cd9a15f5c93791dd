#include "program/processors.h"

#include <fcntl.h>
#include <unistd.h>

#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace forebay {

namespace {

// The text of a file: at most its first `most` - 1 bytes. It is empty if the file cannot be read.
template <std::size_t most>
struct Text {
  char bytes[most] = {};
  explicit Text(const char* path) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    std::size_t length = 0;
    for (ssize_t got; length < most - 1 && (got = read(file, bytes + length, most - 1 - length)) > 0;) {
      length += static_cast<std::size_t>(got);
    }
    bytes[length] = '\0';
    close(file);
  }
};

// The folder of a control group, below the mount point of its hierarchy.
struct Folder {
  const char* mount;
  const char* hierarchy;
  const char* group;

  long long number(const char* name) const { return std::strtoll(text(name).bytes, nullptr, 10); }
  Text<256> text(const char* name) const {
    char path[8192];
    const int length = std::snprintf(path, sizeof path, "%s%s%s/%s", mount, hierarchy, group, name);
    return Text<256>(length < static_cast<int>(sizeof path) ? path : "");
  }
};

// Converts a quota of processor time per period (both in microseconds) to whole processors. Returns 0 if the
// arguments mean that there is no quota.
int wholeProcessors(long long time, long long period) {
  if (time <= 0 || period <= 0) return 0;
  return static_cast<int>(std::clamp(time / period, 1LL, 1LL << 16));
}

// Returns the quota of one group; 0 if it has none. In v2, the file cpu.max contains "TIME PERIOD", or "max
// PERIOD" for no quota. In v1, a quota of -1 means no quota.
int quotaOf(const Folder& folder, bool v2) {
  if (!v2) return wholeProcessors(folder.number("cpu.cfs_quota_us"), folder.number("cpu.cfs_period_us"));
  const Text<256> limit = folder.text("cpu.max");
  char* rest = nullptr;
  const long long time = std::strtoll(limit.bytes, &rest, 10);
  return wholeProcessors(time, std::strtoll(rest, nullptr, 10));
}

// Returns the smaller of two quotas, where 0 means no quota.
int smaller(int a, int b) { return a == 0 || b == 0 ? a + b : std::min(a, b); }

// Returns the smallest quota of a group and its ancestors, up to the root that is visible in a container.
int quotaUpwards(const char* mount, char* group, bool v2) {
  if (std::strcmp(group, "/") == 0) *group = '\0';
  const Folder folder{mount, v2 ? "" : "/cpu", group};
  int least = quotaOf(folder, v2);
  for (char* slash; (slash = std::strrchr(group, '/')) != nullptr;) {
    *slash = '\0';
    least = smaller(least, quotaOf(folder, v2));
  }
  return least;
}

// Returns true if "cpu" is in a list such as "cpu,cpuacct".
bool limitsTime(const char* controllers) {
  for (const char* name = controllers;; ++name) {
    const std::size_t length = std::strcspn(name, ",");
    if (length == 3 && std::memcmp(name, "cpu", 3) == 0) return true;
    name += length;
    if (*name == '\0') return false;
  }
}

// Returns the number of processors that this thread may run on, at least 1.
int available() {
#ifdef __linux__
  cpu_set_t allowed;
  // The call fails if the machine has more processors than the set can hold.
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(CPU_COUNT(&allowed), 1);
#endif
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 1u << 16));
}

}  // namespace

int quota(const char* membership, const char* mount) {
  Text<65536> groups(membership);
  int least = 0;
  char* rest = nullptr;
  // Each line is "ID:CONTROLLERS:GROUP". In the line of v2, CONTROLLERS is empty.
  for (char* line = strtok_r(groups.bytes, "\n", &rest); line != nullptr;
       line = strtok_r(nullptr, "\n", &rest)) {
    char* const controllers = std::strchr(line, ':');
    char* const group = controllers == nullptr ? nullptr : std::strchr(controllers + 1, ':');
    if (group == nullptr) continue;
    *group = '\0';
    const bool v2 = controllers[1] == '\0';
    if (v2 || limitsTime(controllers + 1)) least = smaller(least, quotaUpwards(mount, group + 1, v2));
  }
  return least;
}

int processors(const char* membership, const char* mount) {
  const int allowed = quota(membership, mount);
  return allowed > 0 ? std::min(available(), allowed) : available();
}

}  // namespace forebay
