/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main of a fuzz target where there is no libFuzzer: feeds it every file of the folders and
 * files that it is given, so that any compiler can replay a corpus, under the sanitizers.
 * Exits 1 if there was nothing to replay.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { input_bytes_max = 1 << 20, path_bytes_max = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t input[input_bytes_max];

static unsigned replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *exact;
    size_t size;

    if (!file) {
        perror(path);
        exit(1);
    }
    size = fread(input, 1, sizeof input, file);
    (void)fclose(file);

    /* A block of just this size lets ASan see the first byte read past the end. */
    exact = malloc(size ? size : 1);
    if (!exact)
        abort();
    for (size_t i = 0; i < size; i++)
        exact[i] = input[i];
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 1;
}

static unsigned replay_folder(DIR *folder, const char *name)
{
    char path[path_bytes_max];
    struct dirent *entry;
    unsigned count = 0;

    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
        count += replay_file(path);
    }
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);

        if (!folder) {
            count += replay_file(argv[i]);
            continue;
        }
        count += replay_folder(folder, argv[i]);
        (void)closedir(folder);
    }
    printf("%u inputs replayed\n", count);
    return count == 0;
}
