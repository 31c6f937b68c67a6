#include "collectd/config_walk.h"
#include "collectd/config_error.h"

int config_walk_refuse_with(const struct config_walk *w,
                            const oconfig_value_t *v, const char *problem,
                            const char *legal) {
  const struct config_error e = {.group =
                                     w->group != NULL ? w->group->name : NULL,
                                 .option = w->option->name,
                                 .value = v,
                                 .problem = problem,
                                 .legal = legal};
  return config_error_set(w->error, &e);
}

int config_walk_refuse(const struct config_walk *w, const oconfig_value_t *v,
                       const char *problem) {
  char legal[OPTION_LEGAL_MAX];
  return config_walk_refuse_with(w, v, problem, option_legal(w->option, legal));
}

int config_walk_out_of_memory(const struct config_walk *w) {
  return error_set(w->error, "out of memory");
}

const char *config_walk_text(const struct config_walk *w,
                             const oconfig_value_t *v) {
  if (v->type == OCONFIG_TYPE_STRING)
    return v->value.string;
  config_walk_refuse(w, v,
                     v->type == OCONFIG_TYPE_NUMBER ? "a number, not text"
                                                    : "a boolean, not text");
  return NULL;
}
