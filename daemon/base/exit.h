/* Exit statuses of the programs, as in sysexits(3) and raycluster(1). */
#pragma once

#define EXIT_OK          0
#define EXIT_INTERNAL    1  /* something failed that should not */
#define EXIT_USAGE       2  /* the command line is wrong */
#define EXIT_NOT_RUNNING 3  /* the daemon asked for is not there (as systemctl status) */
#define EXIT_TIMEOUT     4  /* what was waited for did not come in time */
#define EXIT_CONF        78 /* the configuration is wrong; never restarted (EX_CONFIG) */
