// How many processors are this process's to keep busy.
#pragma once

namespace forebay {

// As many as the calling thread may run on (its affinity, on Linux with up to 1,024 processors), or as its
// control groups' quotas of processor time suffice for, rounded down, where those are fewer; at least 1.
// Files are those of quota().
int processors(const char* membership = "/proc/self/cgroup", const char* mount = "/sys/fs/cgroup");

// How many whole processors the smallest quota suffices for, among the groups that `membership` (such as
// /proc/self/cgroup) names and all above them, of cgroups v1 and v2, mounted at `mount`: at least 1, or 0
// where there is none.
int quota(const char* membership, const char* mount);

}  // namespace forebay
