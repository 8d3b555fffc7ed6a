#include "backends/conformance/cases.h"

namespace trama::conformance {

const std::vector<Case>& MovementCases() {
  static const auto* cases = new std::vector<Case>{
      // ---- reductions
      {"trama.sum %0 dims = [1] : $0", {"MxNxf32"}},
      {"trama.sum %0 dims = [0] : $0", {"MxNxf32"}},
      {"trama.sum %0 dims = [1] : $0", {"MxNxKxf32"}},
      {"trama.sum %0 dims = [0, 2] keepdim : $0", {"MxNxKxf32"}},
      {"trama.sum %0 dims = [0, 1] : $0", {"MxNxf32"}},
      {"trama.sum %0 dims = [1] : $0", {"MxNxi32"}},
      {"trama.reduce_max %0 dims = [0, 1] : $0", {"MxNxKxf32"}},
      {"trama.reduce_max %0 dims = [2] keepdim : $0", {"MxNxKxf32"}},
      {"trama.reduce_max %0 dims = [1] : $0", {"MxNxi32"}},
      {"trama.mean %0 dims = [0, 2] : $0", {"MxNxKxf32"}},
      {"trama.mean %0 dims = [1] keepdim : $0", {"MxNxf32"}},
      {"trama.argmax %0 dim = 1 : $0", {"MxNxf32"}},
      {"trama.argmax %0 dim = 1 : $0", {"MxNxf32 ties"}},
      {"trama.argmax %0 dim = 0 keepdim : $0", {"MxNxf32 ties"}},
      {"trama.argmax %0 dim = 1 : $0", {"MxNxKxi32"}},
      // ---- moving elements
      {"trama.reshape %0 : $0 -> tensor<Mx1xNxf32>", {"MxNxf32"}},
      {"trama.transpose %0 permutation = [1, 0] : $0", {"MxNxf32"}},
      {"trama.transpose %0 permutation = [0, 2, 1, 3] : $0", {"BxTxHxDxf32"}},
      {"trama.transpose %0 permutation = [2, 0, 3, 1] : $0", {"MxNxKxBxi32"}},
      {"trama.transpose %0 permutation = [1, 0] : $0", {"MxNxi1"}},
      {"trama.broadcast %0 : $0 -> tensor<KxMxNxf32>", {"Mx1xf32"}},
      {"trama.broadcast %0 : $0 -> tensor<MxNxf32>", {"f32"}},
      {"trama.slice %0 starts = [1, 0] strides = [2, 1] : $0 -> tensor<2xNxf32>", {"5xNxf32"}},
      {"trama.slice %0 starts = [0, 2] strides = [1, 3] : $0 -> tensor<Mx5xf32>", {"Mx17xf32"}},
      {"trama.slice %0 starts = [3] strides = [1] : $0 -> tensor<7xf32>", {"23xf32"}},
      {"trama.pad %0 starts = [1, 0] strides = [2, 1] : $0 -> tensor<6xNxf32>", {"2xNxf32"}},
      {"trama.pad %0 starts = [0, 3] strides = [1, 1] : $0 -> tensor<Mx19xi32>", {"Mx7xi32"}},
      {"trama.concat %0, %1, %2 dim = 1 : $0, $1, $2", {"MxNxf32", "MxKxf32", "Mx1xf32"}},
      {"trama.concat %0, %1 dim = 0 : $0, $1", {"MxNxf32", "KxNxf32"}},
      {"trama.concat %0, %1 dim = 2 : $0, $1", {"MxNxKxi32", "MxNxKxi32"}},
      // ---- indexing
      {"trama.embedding %0, %1 : $0, $1", {"VxDxf32", "MxNxi32 <V"}},
      {"trama.embedding %0, %1 : $0, $1", {"VxDxf32", "Nxi32 <V outside"}},
      {"trama.embedding %0, %1 : $0, $1", {"VxDxf32", "Nxi64 <V"}},
      {"trama.embedding_grad %0, %1 rows = 9 : $0, $1", {"MxNxDxf32", "MxNxi32 <9"}},
      {"trama.embedding_grad %0, %1 rows = 5 : $0, $1", {"NxDxf32", "Nxi32 <5 outside"}},
      {"trama.gather %0, %1 dim = 1 : $0, $1", {"MxVxf32", "Mx1xi32 <V"}},
      {"trama.gather %0, %1 dim = 1 : $0, $1", {"MxVxKxf32", "MxNxKxi32 <V outside"}},
      {"trama.gather %0, %1 dim = 0 : $0, $1", {"VxKxf32", "NxKxi64 <V"}},
      {"trama.cache_update %0, %1, %2, %3 : $0, $1, $2, $3",
       {"BxHx9xDxf32", "BxHx4xDxf32", "Bxi32 <8", "Bxi32 <5"}},
      {"trama.cache_update %0, %1, %2, %3 : $0, $1, $2, $3",
       {"BxHxSxDxf32", "BxHx1xDxf32", "Bxi32 <S", "Bxi32 <2"}},
  };
  return *cases;
}

const std::vector<Case>& SelectionCases() {
  static const auto* cases = new std::vector<Case>{
      {"trama.top_k %0 k = 1 : $0", {"MxNxf32"}},
      {"trama.top_k %0 k = 1 : $0", {"Nxf32 ties"}},
      {"trama.top_k %0 k = 5 : $0", {"MxNx9xf32 ties"}},
      {"trama.top_k %0 k = 7 : $0", {"Mx7xf32 wide"}},
      {"trama.top_k %0 k = 20 : $0", {"Mx1003xf32"}},
      {"trama.top_k %0 k = 3 : $0", {"Mx17xi32"}},
  };
  return *cases;
}

}  // namespace trama::conformance
