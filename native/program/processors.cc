#include "program/processors.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace forebay {

namespace {

// What a small file says, at most its first 4 KiB; nothing where it cannot be read.
struct Text {
  char bytes[4096] = {};
  explicit Text(const char* path) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    if (read(file, bytes, sizeof bytes - 1) < 0) bytes[0] = '\0';
    close(file);
  }
};

// What a file of a group says: of `group`, below the mount of its hierarchy.
Text fileOf(const char* mount, const char* hierarchy, const char* group, const char* name) {
  char path[8192];
  const int length = std::snprintf(path, sizeof path, "%s%s%s/%s", mount, hierarchy, group, name);
  return Text(length < static_cast<int>(sizeof path) ? path : "");
}

// Of one group, in whole processors; 0 where it has none.
int quotaOf(const char* mount, const char* group, bool v2) {
  long long time = 0;
  long long period = 0;
  if (v2) {
    // "TIME PERIOD" in microseconds, or "max PERIOD".
    const Text limit = fileOf(mount, "", group, "cpu.max");
    char* rest = nullptr;
    time = std::strtoll(limit.bytes, &rest, 10);
    period = std::strtoll(rest, nullptr, 10);
  } else {
    // In microseconds; -1 for no quota.
    time = std::strtoll(fileOf(mount, "/cpu", group, "cpu.cfs_quota_us").bytes, nullptr, 10);
    period = std::strtoll(fileOf(mount, "/cpu", group, "cpu.cfs_period_us").bytes, nullptr, 10);
  }
  if (time <= 0 || period <= 0) return 0;
  return static_cast<int>(std::clamp(time / period, 1LL, 1LL << 16));
}

// Of two quotas, of which 0 is none.
int smaller(int a, int b) { return a == 0 || b == 0 ? a + b : std::min(a, b); }

// The smallest of a group's and those above it, up to the root: all that is seen from inside a container.
int quotaUpwards(const char* mount, char* group, bool v2) {
  if (std::strcmp(group, "/") == 0) *group = '\0';
  int least = quotaOf(mount, group, v2);
  for (char* slash; (slash = std::strrchr(group, '/')) != nullptr;) {
    *slash = '\0';
    least = smaller(least, quotaOf(mount, group, v2));
  }
  return least;
}

// Whether "cpu" is in a list such as "cpu,cpuacct", which is taken apart.
bool limitsTime(char* controllers) {
  char* rest = nullptr;
  for (char* name = strtok_r(controllers, ",", &rest); name != nullptr;
       name = strtok_r(nullptr, ",", &rest)) {
    if (std::strcmp(name, "cpu") == 0) return true;
  }
  return false;
}

}  // namespace

int quota(const char* membership, const char* mount) {
  Text groups(membership);
  int least = 0;
  char* rest = nullptr;
  // A line is "ID:CONTROLLERS:GROUP"; that of v2 names no controllers.
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

int processors() {
  const int available = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 1u << 16));
  const int allowed = quota("/proc/self/cgroup", "/sys/fs/cgroup");
  return allowed > 0 ? std::min(available, allowed) : available;
}

}  // namespace forebay
