// The number of processors that this process can use.
#pragma once

namespace forebay {

// The smaller of the number of processors that the calling thread may run on (its affinity, on Linux with up
// to 1,024 processors) and quota(), if there is a quota. At least 1. The arguments are those of quota().
int processors(const char* membership = "/proc/self/cgroup", const char* mount = "/sys/fs/cgroup");

// The smallest quota of processor time, in whole processors, rounded down but at least 1. Returns 0 if there
// is no quota. Reads the control groups (v1 and v2, mounted at `mount`) that the file `membership` lists
// (such as /proc/self/cgroup), and all of their ancestors.
int quota(const char* membership, const char* mount);

}  // namespace forebay
