/* The first failed check of a long run, for tests that shrink or repeat it. */
#ifndef TEST_COMPLAINT_H
#define TEST_COMPLAINT_H

/* Empty: no check has failed. */
struct complaint {
  char text[512];
};

/* Writes the text unless a check has failed before. */
__attribute__((format(printf, 2, 3))) void complain(struct complaint *c,
                                                    const char *format, ...);

#endif
