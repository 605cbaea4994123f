#include "table/snapshot_format.h"

#include <memory>
#include <utility>

namespace recs {
namespace {

uint64_t ChecksumOf(const std::vector<uint64_t>& checksums) {
  return Checksum(reinterpret_cast<const char*>(checksums.data()),
                  checksums.size() * sizeof(uint64_t));
}

// A number that is a kind, a flag or a storage type, below `end`.
template <class T>
bool GetBelow(BlockReader& block, uint32_t end, T* value) {
  uint32_t number;
  if (!block.Get(&number) || number >= end) return false;
  *value = static_cast<T>(number);
  return true;
}

// The name of an optimizer or a hyperparameter: small letters, digits and underscores.
bool GetName(BlockReader& block, std::string* name) {
  std::string_view bytes;
  if (!block.GetString(&bytes) || bytes.size() > 64) return false;
  for (const char c : bytes) {
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_') return false;
  }
  *name = std::string(bytes);
  return true;
}

// What a table can have come to. A table counts epochs in 32 bits.
bool IsPossible(const SnapshotHeader& header) {
  constexpr uint64_t kMostEpochs = 0xffffffffu;
  if (header.dim <= 0 || header.rows < 0) return false;
  if (header.step < 0 || header.step > kMostSteps) return false;
  if (header.since > kMostEpochs || header.cursor.epoch > kMostEpochs) return false;
  if (header.kind == SnapshotKind::kState) return true;
  return !header.cursor.none() && header.since <= header.cursor.epoch;
}

bool GetOptimizer(BlockReader& block, SnapshotHeader* header) {
  if (!GetName(block, &header->optimizer)) return false;
  header->initial_slot_values.resize(header->slots.vectors + header->slots.scalars);
  for (float& value : header->initial_slot_values) {
    if (!block.Get(&value)) return false;
  }
  uint32_t count;
  if (!block.Get(&count)) return false;
  header->hyperparameters.clear();
  for (; count > 0; --count) {
    Hyperparameter one;
    if (!GetName(block, &one.name) || !block.Get(&one.value)) return false;
    header->hyperparameters.push_back(std::move(one));
  }
  return block.empty();
}

}  // namespace

void PutHeader(BlockWriter& block, const SnapshotHeader& header) {
  block.PutBytes(kSnapshotMagic, sizeof(kSnapshotMagic));
  block.Put(kSnapshotVersion);
  block.Put(kSnapshotByteOrder);
  block.Put(static_cast<uint32_t>(header.kind));
  block.Put(static_cast<uint32_t>(header.key_type));
  block.Put(header.dim);
  block.Put(static_cast<uint32_t>(header.storage));
  block.Put(static_cast<int32_t>(header.slots.vectors));
  block.Put(static_cast<int32_t>(header.slots.scalars));
  block.Put(static_cast<uint32_t>(header.with_slots));
  block.Put(static_cast<uint32_t>(header.slots_reset));
  block.Put(static_cast<uint32_t>(header.initializer.kind));
  block.Put(header.initializer.a);
  block.Put(header.initializer.b);
  block.Put(header.newest_time);
  block.Put(header.initializer.seed);
  block.Put(header.step);
  block.Put(header.rows);
  block.PutBytes(header.cursor.life.data(), header.cursor.life.size());
  block.Put(header.since);
  block.Put(header.cursor.epoch);
  block.PutString(header.optimizer);
  for (float value : header.initial_slot_values) block.Put(value);
  block.Put(static_cast<uint32_t>(header.hyperparameters.size()));
  for (const Hyperparameter& one : header.hyperparameters) {
    block.PutString(one.name);
    block.Put(one.value);
  }
}

bool GetHeader(BlockReader& block, SnapshotHeader* header) {
  char magic[sizeof(kSnapshotMagic)];
  uint32_t version, byte_order, key_type;
  const auto is_count = [](int slots) { return slots >= 0 && slots <= 64; };
  if (!block.GetBytes(magic, sizeof(magic)) || !block.Get(&version) || !block.Get(&byte_order) ||
      std::memcmp(magic, kSnapshotMagic, sizeof(magic)) != 0 || version != kSnapshotVersion ||
      byte_order != kSnapshotByteOrder) {
    return false;
  }
  if (!GetBelow(block, 3, &header->kind) || !GetBelow(block, 3, &key_type) || key_type == 0 ||
      !block.Get(&header->dim) || !GetBelow(block, kStorages, &header->storage) ||
      !block.Get(&header->slots.vectors) || !block.Get(&header->slots.scalars) ||
      !GetBelow(block, 2, &header->with_slots) || !GetBelow(block, 2, &header->slots_reset) ||
      !GetBelow(block, static_cast<uint32_t>(kLastInitializerKind) + 1,
                &header->initializer.kind) ||
      !block.Get(&header->initializer.a) || !block.Get(&header->initializer.b) ||
      !block.Get(&header->newest_time) || !block.Get(&header->initializer.seed) ||
      !block.Get(&header->step) || !block.Get(&header->rows) ||
      !block.GetBytes(header->cursor.life.data(), header->cursor.life.size()) ||
      !block.Get(&header->since) || !block.Get(&header->cursor.epoch)) {
    return false;
  }
  header->key_type = static_cast<KeyType>(key_type);
  if (!IsPossible(*header)) return false;
  if (!is_count(header->slots.vectors) || !is_count(header->slots.scalars)) return false;
  return GetOptimizer(block, header);
}

void PutInitialRows(BlockWriter& block, const RowInitializer& initializer) {
  if (initializer.block == nullptr) return;
  block.PutBytes(initializer.block->data(), initializer.block->size() * sizeof(float));
}

bool GetInitialRows(BlockReader& block, int dim, RowInitializer* initializer) {
  const size_t row_bytes = sizeof(float) * static_cast<size_t>(dim);
  if (initializer->kind != InitializerKind::kBlock || initializer->block != nullptr ||
      block.size() % row_bytes != 0) {
    return false;
  }
  std::vector<float> rows(block.size() / sizeof(float));
  if (!block.GetBytes(rows.data(), block.size())) return false;
  initializer->block = std::make_shared<const std::vector<float>>(std::move(rows));
  return true;
}

void PutManifest(BlockWriter& block, const Manifest& manifest) {
  block.Put(static_cast<uint64_t>(manifest.checksums.size()));
  block.Put(manifest.records);
  block.Put(manifest.removals);
  block.Put(ChecksumOf(manifest.checksums));
}

bool IsManifestOf(BlockReader& block, const Manifest& manifest) {
  BlockWriter expected(kManifestBlock);
  PutManifest(expected, manifest);
  const std::string bytes = expected.Close();
  BlockReader own(bytes);
  uint32_t kind;
  return own.Open() && own.Get(&kind) && own.size() == block.size() &&
         std::memcmp(own.data(), block.data(), own.size()) == 0;
}

}  // namespace recs
