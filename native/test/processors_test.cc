// Tests the number of processors that affinity and the CPU quota of a container allow. The test writes quota
// files in the format of Linux.
#include "program/processors.h"

#include <unistd.h>

#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "test/support.h"

using namespace forebay;

namespace {

// A temporary folder with the files of control groups, and with the membership file of a process.
struct Groups {
  std::filesystem::path root;
  Groups() {
    std::string name = (std::filesystem::temp_directory_path() / "forebay-groups-XXXXXX").string();
    root = mkdtemp(name.data());
  }
  ~Groups() { std::filesystem::remove_all(root); }
  Groups(const Groups&) = delete;
  Groups& operator=(const Groups&) = delete;

  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text;
  }
  int quota(const std::string& membership) const {
    write("self", membership);
    return forebay::quota((root / "self").c_str(), root.c_str());
  }
};

}  // namespace

TEST_CASE("a quota of cgroups v2 is the smallest one of the group and the groups above it") {
  const Groups groups;
  groups.write("cpu.max", "max 100000\n");
  groups.write("pods/cpu.max", "600000 100000\n");
  groups.write("pods/one/cpu.max", "250000 100000\n");
  groups.write("pods/two/cpu.max", "max 100000\n");
  groups.write("pods/many/cpu.max", "6400000 100000\n");
  groups.write("pods/few/cpu.max", "5000 100000\n");
  groups.write("pods/huge/cpu.max", "9000000000000000000 1\n");
  groups.write("alone/huge/cpu.max", "9000000000000000000 1\n");
  CHECK(groups.quota("0::/\n") == 0);
  CHECK(groups.quota("0::/pods\n") == 6);
  CHECK(groups.quota("0::/pods/one\n") == 2);
  CHECK(groups.quota("0::/pods/two\n") == 6);
  CHECK(groups.quota("0::/pods/many\n") == 6);
  CHECK(groups.quota("0::/pods/few\n") == 1);
  CHECK(groups.quota("0::/pods/huge\n") == 6);
  CHECK(groups.quota("0::/alone/huge\n") == 1 << 16);
  // The membership file has the path of the group on the host, but only the group of the container is
  // mounted.
  groups.write("cpu.max", "400000 100000");
  CHECK(groups.quota("0::/kubepods.slice/of/the/host") == 4);
}

TEST_CASE("a quota of cgroups v1 is found by the cpu controller") {
  const Groups groups;
  const auto limit = [&](const std::string& group, const char* time, const char* period) {
    groups.write("cpu" + group + "/cpu.cfs_quota_us", time);
    groups.write("cpu" + group + "/cpu.cfs_period_us", period);
  };
  limit("", "-1\n", "100000\n");
  limit("/docker/1", "150000\n", "50000\n");
  limit("/docker/2", "-1\n", "100000\n");
  CHECK(groups.quota("9:memory:/docker/1\n8:cpuset:/docker/1\n") == 0);
  CHECK(groups.quota("9:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n0::/\n") == 3);
  CHECK(groups.quota("4:cpuacct,cpu:/docker/1\n") == 3);
  CHECK(groups.quota("4:cpu:/docker/2\n") == 0);
  // If v2 is mounted as well, its quota also applies.
  groups.write("cpu.max", "200000 100000\n");
  CHECK(groups.quota("4:cpu:/docker/1\n0::/\n") == 2);
}

TEST_CASE("a missing or malformed file means that there is no quota") {
  const Groups groups;
  CHECK(forebay::quota("/nowhere/self", groups.root.c_str()) == 0);
  for (const char* const membership : {"", "\n\n", "0", "0:", ":::", "0::", "0::/", "cpu", "4:cpu", "0::a"}) {
    CHECK(groups.quota(membership) == 0);
  }
  CHECK(groups.quota("0::/" + std::string(9000, 'x')) == 0);
  for (const char* const limit :
       {"", "\n", "max", "100000", "x y", "100000 0", "-1 100000", "0 100000", "1 x"}) {
    groups.write("cpu.max", limit);
    CHECK(groups.quota("0::/\n") == 0);
  }
}

TEST_CASE("the processors of a process are limited by its affinity and by its quota") {
  const Groups groups;
  groups.write("self", "0::/\n");
  const auto found = [&] { return processors((groups.root / "self").c_str(), groups.root.c_str()); };
  const int all = found();
  CHECK(all >= 1);
  CHECK(all <= static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u)));
  groups.write("cpu.max", "6553600000 100000\n");
  CHECK(found() == all);
  groups.write("cpu.max", "100000 100000\n");
  CHECK(found() == 1);
#ifdef __linux__
  groups.write("cpu.max", "max 100000\n");
  // This runs in a separate thread, because a change of affinity remains until the thread ends.
  std::thread([&] {
    cpu_set_t allowed;
    CHECK(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    CHECK(found() == CPU_COUNT(&allowed));
    std::size_t first = 0;
    while (first < CPU_SETSIZE && !CPU_ISSET(first, &allowed)) ++first;
    CPU_ZERO(&allowed);
    CPU_SET(first, &allowed);
    CHECK(sched_setaffinity(0, sizeof allowed, &allowed) == 0);
    CHECK(found() == 1);
  }).join();
#endif
}

TEST_CASE("a quota is found after many long lines") {
  const Groups groups;
  groups.write("cpu/cpu.cfs_quota_us", "200000");
  groups.write("cpu/cpu.cfs_period_us", "100000");
  std::string lines;
  for (int i = 20; i > 1; --i) lines += std::to_string(i) + ":memory:/" + std::string(900, 'x') + "\n";
  CHECK(groups.quota(lines + "1:cpu,cpuacct:/docker/1\n") == 2);
}
