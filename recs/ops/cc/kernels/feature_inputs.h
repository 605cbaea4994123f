// The inputs and attributes that the look-ups of several features have in common: `keys`, `masks`,
// `splits` and `weights` a feature, and of which table it is.
#ifndef RECS_KERNELS_FEATURE_INPUTS_H_
#define RECS_KERNELS_FEATURE_INPUTS_H_

#include <deque>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "kernels/table_kernel.h"

namespace recs {

struct FeatureAttributes {
  std::vector<Combiner> combiners;  // a feature
  std::vector<int> tables;          // a feature: the index of its table
  std::vector<int> dims;            // a feature, as the shape of the outputs has them

  // Checks that the lists fit one another and the numbers of features and tables.
  absl::Status Read(tensorflow::OpKernelConstruction* context);
  int features() const { return static_cast<int>(combiners.size()); }
};

// One feature, checked. `masks` is null where every id counts.
struct FeatureInput {
  const tensorflow::Tensor* keys = nullptr;
  const bool* mask = nullptr;
  Segments batch;
};

class FeatureInputs {
 public:
  absl::Status Read(tensorflow::OpKernelContext* context, const FeatureAttributes& attributes);

  const FeatureInput& operator[](int f) const { return features_[f]; }
  int size() const { return static_cast<int>(features_.size()); }

  // The keys of feature f, valid as long as this; an error when they are not of the table's type.
  template <class K>
  const K* Keys(int f) {
    auto& tensors = std::get<std::deque<KeyTensor<K>>>(keys_);
    tensors.emplace_back(*features_[f].keys);
    return tensors.back().data();
  }

 private:
  std::vector<FeatureInput> features_;
  std::tuple<std::deque<KeyTensor<int64_t>>, std::deque<KeyTensor<std::string_view>>> keys_;
};

// An error unless a feature's keys have the type of its table, and its outputs the length of rows.
absl::Status CheckFeature(const TableBase& table, tensorflow::DataType keys, int dim);

}  // namespace recs

#endif  // RECS_KERNELS_FEATURE_INPUTS_H_
