/* This machine's clock, as its kernel sees it. */
#pragma once

/* 1: kept by NTP, PTP or a host's clock; 0: it runs free; -ENODATA: not to be seen. A filter on
 * system calls makes it so: adjtimex() is in none of systemd's groups that an ordinary program is
 * given, and a filter may kill for it. Then only what timesyncd leaves in /run is looked at. */
int clock_is_synced(void);
