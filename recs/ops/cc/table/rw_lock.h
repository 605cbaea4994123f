// A lock for many readers or one writer, at which a waiting writer goes before new readers.
//
// std::shared_mutex is, on Linux, a lock that lets readers in as long as any is inside: with two
// busy readers a trainer then all but stands still. The price of the other order is that a thread
// must not take the lock for reading twice, since a writer may be waiting between.
#ifndef RECS_TABLE_RW_LOCK_H_
#define RECS_TABLE_RW_LOCK_H_

#include <pthread.h>

#include <cstdlib>

namespace recs {

// For std::unique_lock and std::shared_lock.
class RwLock {
 public:
  RwLock() {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
#ifdef __GLIBC__
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    pthread_rwlock_init(&lock_, &attributes);
    pthread_rwlockattr_destroy(&attributes);
  }
  ~RwLock() { pthread_rwlock_destroy(&lock_); }
  RwLock(const RwLock&) = delete;
  RwLock& operator=(const RwLock&) = delete;

  void lock() { Require(pthread_rwlock_wrlock(&lock_)); }
  void unlock() { Require(pthread_rwlock_unlock(&lock_)); }
  void lock_shared() { Require(pthread_rwlock_rdlock(&lock_)); }
  void unlock_shared() { Require(pthread_rwlock_unlock(&lock_)); }

 private:
  // Fails only when a thread locks twice or there are 2^29 readers: no way to go on is right.
  static void Require(int error) {
    if (error != 0) std::abort();
  }

  pthread_rwlock_t lock_;
};

}  // namespace recs

#endif  // RECS_TABLE_RW_LOCK_H_
