/* Stands for NVIDIA's management library: one GPU, or the error CODE. */
#include <string.h>
#ifndef USED
#define USED 4000000000ULL
#endif
int nvmlInit_v2(void) { return CODE; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return code == 999 ? "Unknown Error" : "some error"; }
int nvmlSystemGetDriverVersion(char *buffer, unsigned length) { strncpy(buffer, "550.90.07", length); return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = (void *)1; return 0; }
int nvmlDeviceGetName(void *device, char *name, unsigned length) { strncpy(name, "Fake RTX", length); return 0; }
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *memory) {
    memory[0] = 24000000000ULL; memory[1] = memory[0] - USED; memory[2] = USED; return 0;
}
