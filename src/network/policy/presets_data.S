/* The presets, embedded: see preset.h. */
    .section .rodata
    .global cay_network_presets_begin
    .global cay_network_presets_end
cay_network_presets_begin:
    .incbin CAY_NETWORK_PRESETS_PATH
cay_network_presets_end:
    .section .note.GNU-stack,"",@progbits
