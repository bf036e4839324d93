#include "model/reflection.h"

static const char *const back_result_table[_BACK_RESULT_MAX] = {
        [BACK_NOT_TRIED] = "not-tried",     [BACK_NONCE_OK] = "nonce-ok",
        [BACK_WRONG_NONCE] = "wrong-nonce", [BACK_OPEN] = "open",
        [BACK_REFUSED] = "refused",         [BACK_REJECTED] = "rejected",
        [BACK_SILENT] = "silent",           [BACK_NO_WAY] = "no-way",
};
DEFINE_STRTAB(back_result, BackResult);

static const char *const firewall_manager_table[_FIREWALL_MANAGER_MAX] = {
        [FIREWALL_UNKNOWN] = "unknown",     [FIREWALL_NONE] = "none",
        [FIREWALL_FIREWALLD] = "firewalld", [FIREWALL_UFW] = "ufw",
        [FIREWALL_NFTABLES] = "nftables",   [FIREWALL_IPTABLES] = "iptables",
};
DEFINE_STRTAB(firewall_manager, FirewallManager);

static const char *const clock_sync_table[_CLOCK_SYNC_MAX] = {
        [CLOCK_SYNC_UNKNOWN] = "unknown",
        [CLOCK_SYNC_YES] = "synchronised",
        [CLOCK_SYNC_NO] = "not synchronised",
};
DEFINE_STRTAB(clock_sync, ClockSync);
