// Included before all of an earlier release's sources, which include linux/ioprio.h: that of
// today's Debian 12 is no C++. What those sources use of it, under its guard.
#pragma once
#define _LINUX_IOPRIO_H  // NOLINT(bugprone-reserved-identifier)
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_WHO_USER 3
#define IOPRIO_CLASS_NONE 0
#define IOPRIO_PRIO_VALUE(priority_class, data) (((priority_class) << 13) | (data))
