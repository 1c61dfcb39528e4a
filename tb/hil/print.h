/* Included before every Verilated file (-include): what VL_PRINTF is. */
#ifdef __cplusplus
extern "C"
#endif
int hil_printf(const char *format, ...);
