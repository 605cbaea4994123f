#include "table/snapshot.h"

#include <memory>

#include "table/scan.h"
#include "table/snapshot_loader.h"
#include "table/snapshot_merge.h"

namespace recs {
namespace {

// Has the loader read a whole state.
template <class K>
Status LoadState(SnapshotLoader<K>& loader, const BlockSource& source, const Table<K>& table) {
  if (Status read = loader.ReadHeader(); !read.ok()) return read;
  if (loader.header().kind == SnapshotKind::kDelta) {
    return InvalidArgument("A restore must be of a whole state. Received: a delta (in table '" +
                           table.options().name + "', " + source.name() +
                           "). Restore the base that it follows, and then `apply` it.");
  }
  return loader.ReadRest();
}

template <class K>
Status LoadDelta(SnapshotLoader<K>& loader, const BlockSource& source, const Table<K>& table) {
  if (Status read = loader.ReadHeader(); !read.ok()) return read;
  if (loader.header().kind != SnapshotKind::kDelta) {
    return InvalidArgument("What is applied must be a delta. Received: a whole state (in table '" +
                           table.options().name + "', " + source.name() +
                           "). `restore` it, with `merge=True` to add to what is there.");
  }
  return loader.ReadRest();
}

}  // namespace

template <class K>
Status Snapshot<K>::Write(const Table<K>& table, BlockSink& sink, const WriteOptions& options,
                          Cursor* cursor) {
  std::unique_ptr<Scan<K>> scan;
  if (Status began = Scan<K>::Begin(table, options, &scan); !began.ok()) return began;
  if (cursor != nullptr) *cursor = scan->header().cursor;
  return scan->Write(sink);
}

template <class K>
Status Snapshot<K>::Read(BlockSource& source, Table<K>* table, const ReadOptions& options,
                         Executor& executor) {
  SnapshotLoader<K> loader(source, *table, options.slots, executor);
  if (Status read = LoadState(loader, source, *table); !read.ok()) return read;
  SnapshotMerge<K> merge(source, loader, table, executor);
  if (options.merge) return merge.Merge();
  merge.Exchange();
  return {};
}

template <class K>
Status Snapshot<K>::Read(BlockSource& source, Table<K>* table) {
  InlineExecutor executor;
  return Read(source, table, {}, executor);
}

template <class K>
Status Snapshot<K>::Assign(BlockSource& source, Table<K>* table, Executor& executor) {
  SnapshotLoader<K> loader(source, *table, false, executor);
  if (Status read = loader.ReadHeader(); !read.ok()) return read;
  if (loader.header().kind != SnapshotKind::kState) {
    return InvalidArgument("What is assigned must be a whole state. Received: a base or a delta (in "
                           "table '" + table->options().name + "', " + source.name() +
                           "). Use `restore` and `apply`.");
  }
  if (Status read = loader.ReadRest(); !read.ok()) return read;
  SnapshotMerge<K>(source, loader, table, executor).Assign();
  return {};
}

template <class K>
Status Snapshot<K>::Apply(BlockSource& source, Table<K>* table, Executor& executor) {
  SnapshotLoader<K> loader(source, *table, true, executor);
  if (Status read = LoadDelta(loader, source, *table); !read.ok()) return read;
  return SnapshotMerge<K>(source, loader, table, executor).Apply();
}

template <class K>
Status Snapshot<K>::Check(BlockSource& source, Table<K>* table, bool base, Executor& executor) {
  SnapshotLoader<K> loader(source, *table, true, executor);
  if (base) return LoadState(loader, source, *table);
  if (Status read = LoadDelta(loader, source, *table); !read.ok()) return read;
  return SnapshotMerge<K>(source, loader, table, executor).CheckFollows();
}

template class Snapshot<int64_t>;
template class Snapshot<std::string_view>;

}  // namespace recs
