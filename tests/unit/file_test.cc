#include "runtime/formats/file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "runtime/formats/crc32c.h"
#include "runtime/formats/directory_transaction.h"
#include "runtime/formats/temporary.h"
#include "tests/temp_dir.h"

namespace trama {
namespace {

using absl::StatusCode::kNotFound;

TEST(FileTest, TakesPathsApart) {
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(DirectoryOf("a/b.txt"), "a");
  EXPECT_EQ(DirectoryOf("b.txt"), ".");
  EXPECT_EQ(DirectoryOf("/b"), "/");
  EXPECT_EQ(DirectoryOf("a/b/"), "a");
  EXPECT_EQ(FileNameOf("a/b.TXT"), "b.TXT");
  EXPECT_EQ(ExtensionOf("a.b/c.TXT"), ".txt");
  EXPECT_EQ(ExtensionOf("a.b/c"), "");
  EXPECT_EQ(ExtensionOf(".hidden"), "");
}

TEST(FileTest, ReplacesAtOnceAndThroughLinks) {
  const TempDir dir;
  dir.Write("f", "old");
  ASSERT_EQ(symlink("f", (dir / "link").c_str()), 0);
  ASSERT_OK(AtomicWriteFile(dir / "link", "new"));
  EXPECT_EQ(*ReadFile(dir / "f"), "new");
  {
    ASSERT_OK_AND_ASSIGN(AtomicFile file, AtomicFile::Create(dir / "f"));
    ASSERT_OK(file.Write("never committed"));
  }
  EXPECT_EQ(*ReadFile(dir / "f"), "new");
  EXPECT_EQ(ListDirectory(dir.path())->size(), 2u);
}

TEST(FileTest, NamesWhatCannotBeRead) {
  const TempDir dir;
  EXPECT_THAT(ReadFile(dir / "none"), StatusIs(kNotFound, "(No such file or directory)"));
  EXPECT_THAT(ReadFile(dir.path()).status().ToString(), testing::HasSubstr("Is a directory"));
  EXPECT_THAT(MappedFile::Open(dir.path()).status().ToString(), testing::HasSubstr("directory"));
  EXPECT_THAT(AtomicWriteFile(dir / "no/such/f", ""), StatusIs(kNotFound, "cannot write"));
}

TEST(FileTest, AFullDiskLeavesNothing) {
  EXPECT_THAT(AtomicWriteFile("/dev/full", "x").ToString(), testing::HasSubstr("No space left"));
  EXPECT_TRUE(FileExists("/dev/full"));
  // A limit on the file's size stands for a disk that fills up in the middle.
  const TempDir dir;
  dir.Write("f", "old");
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit = {1000, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  const absl::Status status = AtomicWriteFile(dir / "f", std::string(5000, 'x'));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(status.ToString(), testing::HasSubstr("File too large"));
  EXPECT_EQ(*ReadFile(dir / "f"), "old");
  EXPECT_EQ(ListDirectory(dir.path())->size(), 1u);
}

TEST(FileTest, MapsEmptyAndFullFiles) {
  const TempDir dir;
  ASSERT_OK_AND_ASSIGN(const MappedFile empty, MappedFile::Open(dir.Write("empty", "")));
  EXPECT_EQ(empty.bytes(), "");
  ASSERT_OK_AND_ASSIGN(MappedFile full, MappedFile::Open(dir.Write("full", "abc")));
  const MappedFile moved = std::move(full);
  EXPECT_EQ(moved.bytes(), "abc");
}

TEST(FileTest, ReleasesWholePagesAndReadsThemAgain) {
  const TempDir dir;
  std::string text;
  while (text.size() < 100000) text += std::to_string(text.size()) + " ";
  ASSERT_OK_AND_ASSIGN(const MappedFile file, MappedFile::Open(dir.Write("text", text)));
  const auto resident = [&] {
    std::ifstream map("/proc/self/smaps");
    std::ostringstream address;
    address << std::hex << reinterpret_cast<uintptr_t>(file.bytes().data()) << "-";
    for (std::string line; std::getline(map, line);)
      if (line.find(address.str()) == 0)
        while (std::getline(map, line))
          if (line.find("Rss:") == 0) return std::stol(line.substr(4));
    return -1L;
  };
  EXPECT_EQ(file.bytes(), text);
  EXPECT_GE(resident(), 96);  // KiB
  file.Release(file.bytes().substr(10));
  EXPECT_LE(resident(), 8);  // the pages of both ends
  EXPECT_EQ(file.bytes(), text);
}

TEST(FileTest, PublishesUnderASecondName) {
  const TempDir dir;
  const std::string from = dir.Write("from", "one");
  dir.Write("to", "zero");
  ASSERT_OK(PublishFile(from, dir / "to"));
  ASSERT_OK(PublishFile(from, dir / "to"));  // the same file already
  ASSERT_OK(AtomicWriteFile(from, "two"));
  EXPECT_EQ(*ReadFile(dir / "to"), "one");
  EXPECT_EQ(ListDirectory(dir.path())->size(), 2u);
}

TEST(DirectoryTransactionTest, SwapsWholeDirectories) {
  const TempDir dir;
  const std::string target = dir / "model";
  for (const char* content : {"one", "two"}) {
    ASSERT_OK_AND_ASSIGN(auto transaction, DirectoryTransaction::Begin(target));
    ASSERT_OK(AtomicWriteFile(JoinPath(transaction.path(), content), content));
    ASSERT_OK(transaction.Commit());
    EXPECT_EQ(*ListDirectory(target), std::vector<std::string>{content});
    EXPECT_EQ(ListDirectory(dir.path())->size(), 1u);
  }
  {
    ASSERT_OK_AND_ASSIGN(auto transaction, DirectoryTransaction::Begin(target));
    ASSERT_OK(AtomicWriteFile(JoinPath(transaction.path(), "three"), ""));
  }
  EXPECT_EQ(*ListDirectory(target), std::vector<std::string>{"two"});
  EXPECT_EQ(ListDirectory(dir.path())->size(), 1u);
}

TEST(DirectoryTransactionTest, RecoversFromACrashBetweenTwoRenames) {
  const TempDir dir;
  ASSERT_OK(MakeDirectories(dir / ".model.trama-old"));
  dir.Write(".model.trama-old/f", "kept");
  ASSERT_OK(RecoverDirectory(dir / "model"));
  EXPECT_EQ(*ReadFile(dir / "model/f"), "kept");
  ASSERT_OK(MakeDirectories(dir / ".model.trama-old"));
  ASSERT_OK(RecoverDirectory(dir / "model"));
  EXPECT_FALSE(FileExists(dir / ".model.trama-old"));
  EXPECT_EQ(*ReadFile(dir / "model/f"), "kept");
}

TEST(TemporaryTest, RemovesWhatTheDeadLeftAndNothingElse) {
  const TempDir dir;
  const pid_t child = fork();
  if (child == 0) {
    auto file = AtomicFile::Create(dir / "f");
    auto directory = DirectoryTransaction::Begin(dir / "d");
    _exit(file.ok() && directory.ok() ? 0 : 1);  // leaves both, as a kill would
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(ListDirectory(dir.path())->size(), 2u);
  ASSERT_OK_AND_ASSIGN(auto living, DirectoryTransaction::Begin(dir / "d"));
  ASSERT_OK(RemoveStaleTemporaries(dir.path(), "f"));
  EXPECT_EQ(ListDirectory(dir.path())->size(), 2u);  // the directory's stays
  ASSERT_OK(RemoveStaleTemporaries(dir.path()));
  EXPECT_EQ(*ListDirectory(dir.path()), std::vector<std::string>{FileNameOf(living.path())});
}

TEST(Crc32cTest, HasTheStandardsCheckValue) {
  EXPECT_EQ(Crc32cHex("123456789"), "e3069283");
  EXPECT_EQ(Crc32c("6789", Crc32c("12345")), Crc32c("123456789"));
  EXPECT_EQ(Crc32cHex(std::string(32, '\0')), "8a9136aa");  // RFC 3720, B.4
}

}  // namespace
}  // namespace trama
