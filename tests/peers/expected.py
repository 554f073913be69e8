"""What becomes of each of the shared example files, by path below `dicom`.

By their README and what stands in them, never by what we answer. A file that is not here is kept
as it is and given out again, byte for byte.
"""

NO_FILE = (  # no preamble or file meta information: nothing says in which syntax to read them
    "MANIFEST.tsv",
    "README.md",
    "lut-overlay/OT-PAL-8-face.dcm",
    "odd-but-legal/ExplVR_BigEndNoMeta.dcm",
    "odd-but-legal/ExplVR_LitEndNoMeta.dcm",
    "odd-but-legal/no_meta.dcm",
    "odd-but-legal/no_preamble_dicm_in_data",
    "odd-but-legal/rtstruct.dcm",
    "ts-pydicom-data/JLSL_RGB_ILV0.dcm",
    "ts-pydicom-data/JLSL_RGB_ILV1.dcm",
    "ts-pydicom-data/JLSN_RGB_ILV0.dcm",
)
NO_UIDS = (  # "no SOP Instance UID at all"
    "charset/chrSQEncoding.dcm",
    "charset/chrSQEncoding1.dcm",
    "fileset-dicomdir/DICOMDIR",
    "fileset-dicomdir/DICOMDIR-bigEnd",
    "fileset-dicomdir/DICOMDIR-implicit",
    "fileset-dicomdir/TINY_ALPHA/DICOMDIR",
    "odd-but-legal/UN_sequence.dcm",
    "odd-but-legal/nested_priv_SQ.dcm",
    "odd-but-legal/no_meta_group_length.dcm",
    "ts-pylibjpeg/JPEGLosslessP14SV1_1s_1f_u_16_16.dcm",
)
NO_STUDY = (  # of no patient and no study (PS3.4 GG), or without a Study Instance UID
    "other-objects/NeurosurgeryPlan.dcm",
    "other-objects/fall.dcm",
    "other-objects/hotiron.dcm",
    "other-objects/hotmetalblue.dcm",
    "other-objects/pet.dcm",
    "other-objects/pet20step.dcm",
    "other-objects/spring.dcm",
    "other-objects/summer.dcm",
    "other-objects/winter.dcm",
    "sm-op/multiframe.dcm",
    "ts-pydicom-data/HTJ2KLossless_08_RGB.dcm",
    "ts-pydicom-data/HTJ2K_08_RGB.dcm",
    "ts-pydicom/JPEGLSNearLossless_08.dcm",
    "ts-pydicom/JPEGLSNearLossless_16.dcm",
    "ts-pydicom/SC_rgb_jls_lossy_line.dcm",
)
BROKEN = (
    "mg/MG-Im-Hologic-PropProj.dcm",  # a sequence that leaves the file; dcmtk cannot read it either
    "odd-but-legal/MR_truncated.dcm",  # ends inside its pixel data
)
BAD_UID = ("pr/jpeg2000-multiframe-multifragments.dcm",)  # of 67 characters
SAME = (  # the data set of the first of its group, once more
    "ts-one-ct-in-13-syntaxes/CTImage.dcm_LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2.dcm",
)
# "Files that share a SOP Instance UID": the first by name is kept, the others are its versions.
VERSIONS = {
    "charset/chrFren.dcm": ("charset/chrFrenMulti.dcm",),
    "charset/chrJapMulti.dcm": ("charset/chrJapMultiExplicitIR6.dcm",),
    "enhanced/emri_small.dcm": (
        "enhanced/emri_small_RLE.dcm",
        "enhanced/emri_small_big_endian.dcm",
        "enhanced/emri_small_jpeg_2k_lossless.dcm",
        "enhanced/emri_small_jpeg_2k_lossless_too_short.dcm",
        "enhanced/emri_small_jpeg_ls_lossless.dcm",
        "synthetic/EMRI_10f_HTJ2K_lossless.201.dcm",
    ),
    "lut-overlay/ovly_p01.dcm": ("pr/overlay.dcm",),
    "odd-but-legal/badVR.dcm": (
        "rt/rtdose.dcm",
        "rt/rtdose_expb.dcm",
        "rt/rtdose_rle.dcm",
    ),
    "seg/liver.dcm": ("seg/liver_1frame.dcm",),
    "sm-op/sm_image.dcm": ("sm-op/sm_image_control.dcm",),
    "odd-but-legal/reportsi_with_empty_number_tags.dcm": ("sr/reportsi.dcm",),
    "ts-jpeg-lossless-predictors/jpeg_lossless_sel1.dcm": (
        "ts-jpeg-lossless-predictors/jpeg_lossless_sel2.dcm",
        "ts-jpeg-lossless-predictors/jpeg_lossless_sel3.dcm",
        "ts-jpeg-lossless-predictors/jpeg_lossless_sel4.dcm",
        "ts-jpeg-lossless-predictors/jpeg_lossless_sel5.dcm",
        "ts-jpeg-lossless-predictors/jpeg_lossless_sel6.dcm",
        "ts-jpeg-lossless-predictors/jpeg_lossless_sel7.dcm",
    ),
    "enhanced/eCT_Supplemental.dcm": (
        "ts-multiframe-fragmentation/CT0012.fragmented_no_bot_jpeg_lossless.57.dcm",
        "ts-multiframe-fragmentation/CT0012.fragmented_no_bot_jpeg_lossless.70.dcm",
        "ts-multiframe-fragmentation/CT0012.fragmented_no_bot_jpeg_ls.80.dcm",
        "ts-multiframe-fragmentation/CT0012.not_fragmented_bot_jpeg_ls.80.dcm",
        "ts-multiframe-fragmentation/CT0012.not_fragmented_bot_rle.dcm",
        "ts-multiframe-fragmentation/CT0012.not_fragmented_no_bot_jpeg_ls.80.dcm",
        "ts-multiframe-fragmentation/CT0012.not_fragmented_no_bot_rle.dcm",
    ),
    "synthetic/CT1_HTJ2K_RPCL.202.dcm": (
        "ts-multiframe-fragmentation/CT1_UNC.explicit_big_endian.dcm",
        "ts-multiframe-fragmentation/CT1_UNC.fragmented_bot_jpeg_ls.80.dcm",
        "ts-multiframe-fragmentation/CT1_UNC.fragmented_no_bot_jpeg_ls.80.dcm",
        "ts-multiframe-fragmentation/CT1_UNC.implicit_little_endian.dcm",
        "ts-multiframe-fragmentation/CT1_UNC.not_fragmented_bot_jpeg_ls.80.dcm",
        "ts-wg04/CT1_UNC",
    ),
    "ts-one-ct-in-13-syntaxes/CTImage.dcm": (
        "ts-one-ct-in-13-syntaxes/CTImage.dcm_BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2.dcm",
        "ts-one-ct-in-13-syntaxes/CTImage.dcm_DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99.dcm",
        "ts-one-ct-in-13-syntaxes/CTImage.dcm_JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90.dcm",
        "ts-one-ct-in-13-syntaxes/CTImage.dcm_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80.dcm",
        "ts-one-ct-in-13-syntaxes/CTImage.dcm_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70.dcm",
        "ts-one-ct-in-13-syntaxes/CTImage.dcm_JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57.dcm",
        "ts-one-ct-in-13-syntaxes/CTImage.dcm_LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1.dcm",
        "ts-one-ct-in-13-syntaxes/CTImage.dcm_RLELosslessTransferSyntax_1.2.840.10008.1.2.5.dcm",
    ),
    "seg/ct_image.dcm": ("ts-pydicom/CT_small.dcm",),
    "synthetic/MR1_HTJ2K_lossless.201.dcm": (
        "ts-pydicom/MR_small.dcm",
        "ts-pydicom/MR_small_RLE.dcm",
        "ts-pydicom/MR_small_bigendian.dcm",
        "ts-pydicom/MR_small_implicit.dcm",
        "ts-pydicom/MR_small_jp2klossless.dcm",
        "ts-pydicom/MR_small_jpeg_ls_lossless.dcm",
        "ts-wg04/MR1_UNC",
    ),
    "ts-pydicom/SC_rgb_jpeg_gdcm.dcm": (
        "ts-pydicom/SC_rgb_rle.dcm",
        "ts-pydicom/SC_rgb_rle_16bit.dcm",
        "ts-pydicom/SC_rgb_rle_16bit_2frame.dcm",
        "ts-pydicom/SC_rgb_rle_2frame.dcm",
        "ts-pydicom/SC_rgb_rle_32bit.dcm",
        "ts-pydicom/SC_rgb_rle_32bit_2frame.dcm",
        "ts-pydicom-data/SC_rgb_16bit.dcm",
        "ts-pydicom-data/SC_rgb_32bit_2frame.dcm",
        "ts-pydicom-data/SC_rgb_expb.dcm",
        "ts-pydicom-data/SC_rgb_expb_16bit.dcm",
        "ts-pydicom-data/SC_rgb_expb_16bit_2frame.dcm",
        "ts-pydicom-data/SC_rgb_expb_2frame.dcm",
        "ts-pydicom-data/SC_rgb_expb_32bit.dcm",
        "ts-pydicom-data/SC_rgb_expb_32bit_2frame.dcm",
    ),
    "ts-pydicom/SC_rgb_dcmtk_+eb+cy+n2.dcm": ("ts-pydicom/SC_ybr_full_422_uncompressed.dcm",),
    "ts-pydicom/examples_palette.dcm": (
        "ts-pydicom-data/OBXXXX1A_rle.dcm",
        "ts-pydicom-data/OBXXXX1A_rle_2frame.dcm",
    ),
    "synthetic/VL1_JPEGXL_lossless.110.dcm": ("ts-wg04/VL1_UNC",),
    "us-multiframe/US-PAL-8-10x-echo": ("us-multiframe/jpeg-ls-Palette.dcm",),
}


VERSION_OF = {later: first for first, others in VERSIONS.items() for later in others}
