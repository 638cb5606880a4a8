#include "kernels/block_cache.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <map>
#include <mutex>
#include <new>

#include "base/error.h"

namespace coterie::kernels {
namespace {

constexpr std::size_t kLeast = std::size_t{1} << 16;  ///< bytes of the smallest block
constexpr std::size_t kPage = std::size_t{1} << 12;
constexpr std::size_t kHugePage = std::size_t{1} << 21;  ///< on x86-64 and on most others
constexpr std::size_t kHeader = 64;                      ///< a cache line: tensors start on one
constexpr std::uint64_t kLongest = 1024;                 ///< a block waits while so many are freed: a few steps

/// What lies before the memory of a tensor.
struct Header {
  std::size_t capacity = 0;  ///< bytes of address space; 0: not from the cache
  std::size_t touched = 0;   ///< bytes that had pages at some time: what the block may cost
  std::uint64_t freed = 0;   ///< when, counted in blocks
};

using Blocks = std::multimap<std::size_t, Header*>;
/// More than any block lacks.
constexpr std::size_t kFar = std::numeric_limits<std::size_t>::max();

[[noreturn]] void refuse(std::size_t bytes) {
  throw IoError(str("memory: a tensor of ", bytes, " bytes does not fit"));
}

/// Bytes of the pages that a block of that capacity consists of.
std::size_t page_of(std::size_t capacity) { return capacity < kHugePage ? kPage : kHugePage; }

std::byte* map_pages(std::size_t bytes) {
  void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mapped == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapped);
}

/// Address space that starts on such a page, or null where the system has no more.
void* map_block(std::size_t bytes) {
  if (page_of(bytes) == kPage) return map_pages(bytes);
  // A huge page more, to start on one; what lies before and behind goes back.
  std::byte* const first = map_pages(bytes + kHugePage);
  if (first == nullptr) return nullptr;
  const std::size_t before = (kHugePage - reinterpret_cast<std::uintptr_t>(first) % kHugePage) % kHugePage;
  if (before != 0) ::munmap(first, before);
  std::byte* const block = first + before;
  ::munmap(block + bytes, kHugePage - before);
  // Refused where huge pages are switched off: small ones serve.
  ::madvise(block, bytes, MADV_HUGEPAGE);
  return block;
}

class BlockCache final : public c10::Allocator {
 public:
  static BlockCache& instance() {
    // Never destroyed: tensors with static lifetime are freed after everything else.
    static auto* const cache = new BlockCache();
    return *cache;
  }

  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &release, c10::Device(c10::DeviceType::CPU)};
    void* const data = bytes < kLeast ? small(bytes) : large(bytes);
    return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }

  BlockUse use() {
    const std::lock_guard lock(mutex_);
    return use_;
  }

 private:
  static void* small(std::size_t bytes) {
    void* memory = nullptr;
    if (::posix_memalign(&memory, kHeader, bytes + kHeader) != 0) refuse(bytes);
    new (memory) Header{};
    return static_cast<std::byte*>(memory) + kHeader;
  }

  void* large(std::size_t bytes) {
    const std::size_t needed = bytes + kHeader;
    const std::lock_guard lock(mutex_);
    Header* const block = take(needed);
    const std::size_t page = page_of(block->capacity);
    block->touched = std::max(block->touched, (needed + page - 1) / page * page);
    use_.live += block->touched;
    peak_ = std::max(peak_, use_.live);
    return reinterpret_cast<std::byte*>(block) + kHeader;
  }

  Header* take(std::size_t bytes) {
    const std::size_t capacity = std::bit_ceil(bytes);
    const auto fitting = best(bytes, capacity);
    if (fitting != idle_.end()) return remove(fitting);
    while (!idle_.empty() && use_.live + use_.idle + bytes > peak_ / 8 * 9) forget(oldest());
    void* block = map_block(capacity);
    while (block == nullptr && !idle_.empty()) {
      forget(oldest());
      block = map_block(capacity);
    }
    if (block == nullptr) refuse(bytes);
    return new (block) Header{capacity, 0};
  }

  Header* remove(Blocks::iterator place) {
    Header* const block = place->second;
    use_.idle -= block->touched;
    idle_.erase(place);
    return block;
  }

  /// Of the waiting blocks of that capacity the one that has enough pages and the fewest more, else the one that lacks
  /// the fewest. Twice the capacity serves too: the sizes of two steps may lie on either side of a power of two.
  Blocks::iterator best(std::size_t bytes, std::size_t capacity) {
    const auto behind = idle_.upper_bound(2 * capacity);
    const auto surplus = [&](const Header& block) {
      return block.touched >= bytes ? block.touched - bytes : kFar - block.touched;
    };
    auto found = idle_.end();
    for (auto block = idle_.lower_bound(capacity); block != behind; ++block)
      if (found == idle_.end() || surplus(*block->second) < surplus(*found->second)) found = block;
    return found;
  }

  Blocks::iterator oldest() {
    return std::min_element(idle_.begin(), idle_.end(),
                            [](const auto& a, const auto& b) { return a.second->freed < b.second->freed; });
  }

  void forget(Blocks::iterator place) {
    Header* const block = remove(place);
    ::munmap(block, block->capacity);
  }

  static void release(void* data) {
    if (data == nullptr) return;
    auto* const block = reinterpret_cast<Header*>(static_cast<std::byte*>(data) - kHeader);
    if (block->capacity == 0)
      std::free(block);
    else
      instance().keep(block);
  }

  void keep(Header* block) {
    const std::lock_guard lock(mutex_);
    block->freed = ++frees_;
    idle_.emplace(block->capacity, block);
    use_.live -= block->touched;
    use_.idle += block->touched;
    if (frees_ % kLongest == 0)
      while (!idle_.empty() && oldest()->second->freed + kLongest < frees_) forget(oldest());
  }

  std::mutex mutex_;
  Blocks idle_;  // by capacity
  BlockUse use_;
  std::size_t peak_ = 0;     // of what was live
  std::uint64_t frees_ = 0;  // of blocks, so far
};

}  // namespace

void use_block_cache() {
  // Above the allocator that ATen registers itself with.
  constexpr std::uint8_t kPriority = 1;
  c10::SetCPUAllocator(&BlockCache::instance(), kPriority);
}

BlockUse block_use() { return BlockCache::instance().use(); }

}  // namespace coterie::kernels
