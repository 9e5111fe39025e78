/* The guest's program, embedded: see launcher.h, MakeGuestImage. */
    .section .rodata
    .balign 64
    .global cay_guest_image_begin
    .global cay_guest_image_end
cay_guest_image_begin:
    .incbin CAY_GUEST_PATH
cay_guest_image_end:
    .section .note.GNU-stack,"",@progbits
