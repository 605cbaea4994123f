// What a table reads, states and deltas, of any contents: a fuzz entry point.
//
// The first byte of an input says what is read, the rest is blocks, each after its length in two
// bytes. Checksums, the manifest and the cursor of a delta are made right here, so that what is
// behind them is reached. With the fourth bit the rest is a file as it is.
//
// Whatever comes, nothing is read out of bounds, a refused state leaves the table as it was, and one
// that is taken is written and read again with the same rows.
//
// clang: `-fsanitize=fuzzer,address,undefined`. Elsewhere fuzz_inputs.cc replays inputs.
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "support.h"
#include "table/file_source.h"
#include "table/snapshot_format.h"

namespace recs::testing {
namespace {

enum Flags : uint8_t { kStrings = 1, kDelta = 2, kMerge = 4, kFile = 8, kCounts = 16, kBloom = 32 };

// Where a header has the life that its cursor is of, behind the kind of the block.
constexpr size_t kLifeAt = 4 + 88;

std::string WithChecksum(std::string contents) {
  const uint64_t sum = Checksum(contents.data(), contents.size());
  contents.append(reinterpret_cast<const char*>(&sum), sizeof(sum));
  return contents;
}

std::vector<std::string> BlocksOf(const uint8_t* data, size_t size, const Cursor& follows) {
  std::vector<std::string> blocks;
  Manifest manifest;
  while (size >= 2) {
    const size_t length = std::min<size_t>(size - 2, size_t{data[0]} | size_t{data[1]} << 8);
    std::string contents(reinterpret_cast<const char*>(data + 2), length);
    if (blocks.empty() && !follows.none() && length >= kLifeAt + 24) {
      std::memcpy(contents.data() + kLifeAt, follows.life.data(), 16);
      std::memcpy(contents.data() + kLifeAt + 16, &follows.epoch, 8);
    }
    blocks.push_back(WithChecksum(std::move(contents)));
    uint64_t sum;
    std::memcpy(&sum, blocks.back().data() + blocks.back().size() - 8, 8);
    manifest.checksums.push_back(sum);
    // What a delta of integers and no slots has.
    uint32_t kind = 0;
    if (length >= 4) std::memcpy(&kind, data + 2, 4);
    if (kind == kRecordBlock) manifest.records += static_cast<int64_t>((length - 4) / 28);
    if (kind == kRemovalBlock) manifest.removals += static_cast<int64_t>((length - 4) / 8);
    data += 2 + length;
    size -= 2 + length;
  }
  // A state has as many records as its header says.
  if (!blocks.empty() && follows.none() && blocks[0].size() >= 4 + 88) {
    std::memcpy(&manifest.records, blocks[0].data() + 4 + 80, 8);
  }
  BlockWriter last(kManifestBlock);
  PutManifest(last, manifest);
  blocks.push_back(last.Close());
  return blocks;
}

template <class K>
K KeyOf(int64_t number);
template <>
int64_t KeyOf<int64_t>(int64_t number) {
  return number;
}
template <>
std::string_view KeyOf<std::string_view>(int64_t number) {
  return number == 0 ? "a" : "b";
}

template <class K>
Status ReadInto(Table<K>& table, BlockSource& source, uint8_t flags) {
  InlineExecutor executor;
  if ((flags & kDelta) != 0) return Snapshot<K>::Apply(source, &table, executor);
  ReadOptions options;
  options.merge = (flags & kMerge) != 0;
  return Snapshot<K>::Read(source, &table, options, executor);
}

template <class K>
void Run(uint8_t flags, const uint8_t* data, size_t size) {
  TableOptions options = Options(2);
  if ((flags & kCounts) != 0) {
    options.admission.kind = AdmissionKind::kMinimumCount;
    options.admission.count = 3;
  } else if ((flags & kBloom) != 0) {
    options.admission = {AdmissionKind::kCountingBloom, 3, 100, 0.1, 1.0};
  }
  options.eviction.max_rows = 50;
  Table<K> table(options);
  InlineExecutor executor;
  const K keys[] = {KeyOf<K>(0), KeyOf<K>(1)};
  const float rows[] = {1.0f, 2.0f, 3.0f, 4.0f};
  table.Upsert(keys, rows, 2, executor);
  MemorySink base;
  WriteOptions of_base;
  of_base.kind = SnapshotKind::kBase;
  CHECK(Snapshot<K>::Write(table, base, of_base).ok());
  MemorySource from_base(base.blocks);
  CHECK(Snapshot<K>::Read(from_base, &table).ok());
  const auto before = Contents(table);

  Status status;
  if ((flags & kFile) != 0) {
    static const std::string path = "/tmp/recs_fuzz_" + std::to_string(getpid());
    FILE* file = fopen(path.c_str(), "wb");
    CHECK(file != nullptr && fwrite(data, 1, size, file) == size && fclose(file) == 0);
    FileSource source(path);
    status = source.Open();
    if (status.ok()) status = ReadInto(table, source, flags);
    std::remove(path.c_str());
  } else {
    const Cursor none;
    const auto blocks = BlocksOf(data, size, (flags & kDelta) != 0 ? table.follows() : none);
    MemorySource source(blocks);
    status = ReadInto(table, source, flags);
  }
  if (!status.ok()) CHECK(Contents(table) == before);
  CHECK(table.size() <= 50);
  for (const char c : table.optimizer()) CHECK(c > ' ' && c <= '~');
  CHECK(table.step() >= 0);

  // Whatever it is now, it is a table: it trains, and its state can be read again.
  std::vector<K> batch(keys, keys + 2);
  Backward(table, Forward(table, batch, executor), std::vector<float>(4, 0.5f), executor);
  Commit(table, Sgd(0.1f), executor);
  MemorySink sink;
  CHECK(Snapshot<K>::Write(table, sink).ok());
  Table<K> again(options);
  MemorySource written(sink.blocks);
  CHECK(Snapshot<K>::Read(written, &again).ok());
  CHECK_EQ(again.size(), table.size());
  CHECK_EQ(again.follows().ToText(), table.follows().ToText());
}

}  // namespace
}  // namespace recs::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  try {
    if ((data[0] & recs::testing::kStrings) != 0) {
      recs::testing::Run<std::string_view>(data[0], data + 1, size - 1);
    } else {
      recs::testing::Run<int64_t>(data[0], data + 1, size - 1);
    }
  } catch (const std::bad_alloc&) {
    // A refusal too.
  }
  return 0;
}
