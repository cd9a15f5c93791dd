// The number of processors that this process can use.
#pragma once

namespace forebay {

// Returns the number of processors that the calling thread may run on (its affinity, on Linux with up to
// 1,024 processors), or quota() if that is smaller and not 0. The result is at least 1. The arguments are
// passed to quota().
int processors(const char* membership = "/proc/self/cgroup", const char* mount = "/sys/fs/cgroup");

// Returns the smallest quota of processor time that applies to this process, in whole processors, rounded
// down but at least 1. Returns 0 if no quota applies. Reads the control groups (v1 and v2, mounted at
// `mount`) that the file `membership` lists, and all their ancestors. An example of `membership` is
// /proc/self/cgroup.
int quota(const char* membership, const char* mount);

}  // namespace forebay
