/* GPUs, counted in a tree like that of /proc and /sys. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/hardware.h"

static void put(const char *root, const char *path, const char *text)
{
        _cleanup_free_ char *dir = str_printf("mkdir -p %s/%s", root, path);

        assert_int_equal(system(dir), 0);
        if (!text)
                return;
        _cleanup_free_ char *file = str_printf("%s/%s/gpu_id", root, path);
        assert_int_equal(write_file_atomic(file, text, strlen(text), 0644, (gid_t)-1), 0);
}

static void test_gpus(void **state)
{
        char root[] = "/tmp/test-hardware.XXXXXX";
        const char *nodes = "sys/class/kfd/kfd/topology/nodes";

        assert_non_null(mkdtemp(root));
        assert_int_equal(hardware_gpus(root), 0);
        put(root, "proc/driver/nvidia/gpus/0000:01:00.0", NULL);
        put(root, "proc/driver/nvidia/gpus/0000:41:00.0", NULL);
        assert_int_equal(hardware_gpus(root), 2);
        /* AMD's list has the processors, too */
        for (int i = 0; i < 3; i++) {
                _cleanup_free_ char *node = str_printf("%s/%d", nodes, i);
                put(root, node, i == 0 ? "0\n" : "28032\n");
        }
        assert_int_equal(hardware_gpus(root), 4);
        _cleanup_free_ char *cmd = str_printf("rm -r %s", root);
        assert_int_equal(system(cmd), 0);
        Hardware h = hardware_read();
        assert_in_range(h.cpus, 1, 1 << 20);
        assert_true(h.memory_bytes > (uint64_t)64 << 20);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_gpus),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
