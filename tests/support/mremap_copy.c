/* mremap() for ThreadSanitizer, which does not know that memory moves in it and
 * so takes two uses of the same address for uses of the same memory: a copy to
 * memory that mmap() gives, both of which ThreadSanitizer does know. */
#include <string.h>
#include <sys/mman.h>

void *__wrap_mremap(void *old, size_t old_size, size_t size, int flags);

void *__wrap_mremap(void *old, size_t old_size, size_t size, int flags) {
  (void)flags;
  void *now = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (now == MAP_FAILED)
    return now;
  memcpy(now, old, old_size < size ? old_size : size);
  munmap(old, old_size);
  return now;
}
