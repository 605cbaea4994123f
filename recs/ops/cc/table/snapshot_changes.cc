#include "table/snapshot_changes.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "table/scan.h"
#include "table/snapshot_format.h"

namespace recs {
namespace {

// Takes blocks apart as they come; keys that were removed come before records.
template <class K>
class ChangesSink final : public BlockSink {
 public:
  using Key = typename Changes<K>::Key;
  ChangesSink(const SnapshotHeader& header, Changes<K>* changes)
      : layout_(LayoutOf(header)), changes_(changes) {}

  Status Append(std::string bytes) override {
    BlockReader block(bytes);
    uint32_t kind = 0;
    if (!block.Open() || !block.Get(&kind)) return {};
    K key;
    while (kind == kRemovalBlock && GetKey(block, &key)) {
      if (removed_.insert(Key(key)).second) changes_->removed.emplace_back(key);
    }
    while (kind == kRecordBlock && GetKey(block, &key)) AddRecord(key, block);
    return {};
  }
  // A removed key that came back is there.
  void Finish() {
    auto& removed = changes_->removed;
    const auto is_back = [this](const Key& key) { return removed_.count(key) == 0; };
    removed.erase(std::remove_if(removed.begin(), removed.end(), is_back), removed.end());
  }

 private:
  void AddRecord(K key, BlockReader& block) {
    changes_->keys.emplace_back(key);
    if (!removed_.empty()) removed_.erase(changes_->keys.back());
    block.Skip(sizeof(RecordCounts));
    stored_.resize(layout_.embedding_bytes());
    block.GetBytes(stored_.data(), stored_.size());
    const size_t at = changes_->rows.size();
    changes_->rows.resize(at + layout_.dim());
    Decode(layout_.storage(), stored_.data(), changes_->rows.data() + at, layout_.dim());
  }

  const RowLayout layout_;
  Changes<K>* changes_;
  std::string stored_;
  std::unordered_set<Key> removed_;
};

}  // namespace

template <class K>
Status ChangesSince(const Table<K>& table, const Cursor& since, Changes<K>* changes) {
  WriteOptions options;
  options.kind = since.none() ? SnapshotKind::kBase : SnapshotKind::kDelta;
  options.slots = false;
  options.since = since;
  std::unique_ptr<Scan<K>> scan;
  if (Status began = Scan<K>::Begin(table, options, &scan); !began.ok()) return began;
  changes->cursor = scan->header().cursor;
  ChangesSink<K> sink(scan->header(), changes);
  if (Status written = scan->Write(sink); !written.ok()) return written;
  sink.Finish();
  return {};
}

template Status ChangesSince(const Table<int64_t>&, const Cursor&, Changes<int64_t>*);
template Status ChangesSince(const Table<std::string_view>&, const Cursor&,
                             Changes<std::string_view>*);

}  // namespace recs
