/* SPDX-License-Identifier: Apache-2.0 */
/* Keys for tests, made with `openssl genrsa 3072` and good for nothing else. */
#pragma once

static const char rsa_n[] =
    "1GY_O3N4uvlRSUXA4nNH5kxp5VXFdKZJ7rdF2IIJjnTHtitGvfk_w2Df9dTVBOzJ6jOGlZt1rHUpdPra1inh"
    "dN1Tm6DUeyqgkpqgBXOawSKTJrgmdl0l7_cNKMWhdcCS1OjSK8rqhjnC1_Si6OcNMdsrcUQXVs9g4Evkn1lw"
    "1Y_00VuQSxjptghplSn4AMThjVwjjybq4EV7zogIYb_1AyZ2MmApSnaPN14-dSnmoe9B0N4DAAfZG9SIGAUQ"
    "vzg5IGNsD8mBXrkin-L_jkkCaBRxJwtvaJixXzpZj8ap3dSvpLjijxwFzXg9pSQsMPpsP6kpCtSS0s4LK55Z"
    "HlrGhq7iungIGzNpyV203zEmuOfUJaARIP-Wrv3EKZ3J_boYApBSP4X9UtwoQ4Zyh99E71QU7shbgJHyE9j7"
    "0Tz27S3QostPlG2n6mPLyYklFVKFJS32jWHpFS9rWUNgUXSrMEihXJ1im9SZzrJ--jlRyVIREWCbfANoJQy1"
    "LlD9w5fj";
static const char rsa_d[] =
    "FDLvE3_NPPbF2LKF_-MXtNqSfYlVIF1KDaYnQcpID2Cit3vRG_Luse1uDwphAbllEF07ENI6dB6mRSYwForg"
    "EoWT1GqMmnP41khXLH2Me46GsPl1Su9b0sDLYxO8YZ7hN9c2WYzQFdi7Y18z-PM0KYgezwQ7Nfm9zEbbZJ4U"
    "YXLxxNEw3Ttuym1tYQ6fM6-FhbR7-zqnvpFND1yXc3hWXCjVt7-2XYr93rWbOfg0ozTGLQ9X-LJGXuOs15_v"
    "sket1r3QwBwT0enlqy4C_fJjPEqOhjSaKSq7MrhCyVj7JqG26Hd5Ixu8vE7QvvAzOQUa_lx4FtwTtuPWbBFy"
    "eIyZ2aO8knb6O37t4fu_smc-6meUr65MqkPK50GkIY6CuJJn38f94yzR3H5xcseQLJynt0JAn4TWzMfqkcuz"
    "jr4TKqTaP9dyIiKjB_RqZ4QITA4B6E4C3pXCrnpMsC6Trlt8kovVXiCHA8UMpqTlhsOA2bdxnyAv6Xm2gfmJ"
    "niiEOzvl";
static const char rsa_p[] =
    "7u1EV7DKLuWV_XwrUXQ3iAuBAIK2TwMv-qGZUg3t0GVyeld8kSBXs_KxLlEHLM0SZZoQPpXPues_aLft-c_l"
    "0vq3VI48Jc6KuP2uZ08K6pboO05bDsgDzvcx4Srjuuk9R8B9oFDx2pWnmTC0zw8ub0s9SuvQrw7QH4svDqSt"
    "OZvUuqSFF3TXDq-N_-hiz4dSAIIvXbWslTMHdAXk1AZTeHUY5idUO69EcCUMCfEgdyHd3QNcNthw-JxFriuk"
    "15pd";
static const char rsa_q[] =
    "45O1fhsPSweWh8HS3QIXOepix7UMaNe5UY9itXb-fJbK4y6LFFqHV_Qe0xTbpbYxG1QlX7KXMHs7p02TqdP0"
    "Ti7vHLxxGgv9cUlDJn7WdxKrK5vGmej9hjve8P6LB67jOX4gHGU0KYrqV5wAdiz3Lxj4GUalfd_oHKtlMRoM"
    "LsDgIdVXGuovslf-H8kPp4TsB5KcyvjZzrT5eIt4Cthr93nUKmUBE1p84CRpxbTfWMoNmPb9RskAl7RpMADG"
    "S1c_";
static const char rsa_dp[] =
    "W5Y0FnE8b5GuV0bbzBOCnfHa93kjrVIJeEet4BhaywG4SlFy_KarN92WMaz51SCfJrdR9suynxAgdGHdJV-e"
    "N6vHzu_e-pcb8iG8Uvmns5k5WFKG8TmWzCVRx4CLX0C9Lt4IygV9UE8BueVDygOFxz_ONQQEMLa67PyLg094"
    "35Zui0U5h25Qad69zhUkm2zB8FP3GDLl_yNafg0sVGJAaPJqIv98eIyM7XgmD0GRMlmXFHuPQ67gT0yIIWW1"
    "gLg5";
static const char rsa_dq[] =
    "MTrFuxbdcwycKpfqJncKUTP71Fm86n0oEJWk875fBNKV5xktauS-fG9Jr73GWg2Uh-XnA9GdVRaDbAijFczM"
    "_5C1lxDIoqrPU49WoGA1wqJeNtvG1YqKNVyEOLvHlYzmiIxZI-tcolPzp6oOi4HkouKS4Nzgdd9W1cTZ6gpJ"
    "cl-03HzLD_5y_PB9_6A9664cZPL5SgsVCtspUENTX307tdg75kPdPLOJae9WljcvTYS_9kQPvB1FLIwRaRnx"
    "y2B_";
static const char rsa_qi[] =
    "bqY6gxixEaz0nZSbJaOglovrXdmNUN4bkkRcLFP-hml5b8Rkm0V8sfrBFXG2Rz_xG737sZHwVHJIFrK7hRDa"
    "3OXzJyQL-kyH6lWhkBotjoND7lzd5B92z1xznrqUmxViYf3lQvl-PGBdIQ9ioCLw5lIXUYhHQXJ42pwCaRZb"
    "Bk8_rBqzLpmQLgGHpg_RBJ3saHd6D95VE80TCDqqIHNNnacFR5eBpCBRIDZ7pPNajPKUUcuDFfNZ5ows0NLa"
    "J8Ov";
/* Of another key. */
static const char rsa_other_p[] =
    "5uYossB7WMbofNe5dgfdkoAnxTyn_YEdjz9h7vJOM6OUXzG1v3cBdLA9lB3s1SB49yx6MA4eVthpAHdjkxR9"
    "C0djc5XgLWWJGsF3pSAYP4aGe0j0twcN7A_zyXkBKtxiTkU19DPdhT8xnCvBKtHAtd0gQLofpDQpzSiRA9a2"
    "GdZ5xEU82ovj_SnoXaG9HrTxUAJb6Wl0Vub5Eyh5qqeBTW20Pjiebfb3yjVLs9n2gqEN7P7Vx9BPjyCUNHKR"
    "eRax";
/* `openssl dgst -sha256 -sign` over "payload", in base64url. */
static const char rsa_signature[] =
    "jIDcnygCM2VMItiBktzLuhEPlU3qNXWDK5GcNbkRpDIobdl_VPXuk89Lz_oFUms2ax3lKoWccAy-KeT4FC7_"
    "-1sRsqkAT-bg2JUuqS0pnOZgl5kECFhMTxkBL1ciDp9AlDMfBDU6RIQ0ezuB7pY5nZsVKdWVlDebW8KW_azO"
    "33XamFxYplSKLSN8qcGcvdvk8l_1YKc_vCYR686ly-n_gR2WbuenL7X8bj_dt1jt80TAdhh-PbFPOn2jwtqY"
    "5_QSFZ9_bPbrew5voKzfEq7iLYvrQJo_MfLt4diao6_X4PWKUlRtRJzAWFOvviyiz5HkDbvp-SMiSOkLOUHI"
    "t-m9QaiFmXU7N1LT2lqV7LpVfibGJZtJHk-ah9yKWcWFDwb1WqVOLOXu3-t6xDRPvwlaIlvU2mF7v3kPql62"
    "Dn_3wIcdJZJUB5VxSqVv5tTbuWXgHa6kMEeiiFh_VVOWZHnAgXIfJehMR8rO4b44Na_8LlusrXI-OOB-xHQe"
    "nuD4K2gd";
/* The modulus of a key of 2048 bits and its private parts. */
static const char rsa_short_n[] =
    "ttu5bQDvZXWHq79lw6-zkeei31PgsvWCeBXKuy39nTWYO2iT64Ts_LiEXellsHg39o-0mTwJvSVWb34eK3dG"
    "FEF1aGx46wQE_MUS4SpXwJKvIhysDuhbdAd42z7Z6gYhfn4pXV6Y1qt2U2OKIpQBpsqsFgmNPc_IbI-cUZO3"
    "KB-exTv0ftlFyibhHl2nAv1pZ4DvoB3tvzgwizD6kVkCn7Q1k3iJ2qR9zqK9abF708HXdmo12scHQCLOe0W0"
    "SZDJCXGHjatwooD8scq8sMZR1E22cfDr_pf1qaxG1CV9BjpWFfaTEjHSyfCRP0hNbD4C4KzK6QILsWGCZPEd"
    "kqN0vw";
static const char rsa_short_d[] =
    "VBNhBYp5iCfq8n_1VW1S3lIn5BFX7lDN5VL3vOqfgooi7aXe5Vpf8K8SRW_MDsCn0pkui4o8XBhvzqGpU4jq"
    "0uNqDVJaooxdkq82SAtE_8kx9zhBsDUL36ST4BLc9SpOei-d601Ubte1dw_8cnuk6sCjMRrBM1t3Jts9H5EQ"
    "lMRzbe4wf2AdypKFiE8_SG0FWzSLn6KEL_snrFWnz7a_77tRbrtWIfKXjkvhUITr75DahnxIQ3n2XRcibn8U"
    "wUSMBolPREd7UN4FNr3OsMABtLjMtzeWbw6DLAiaEO9gc80SE63KRR7IKoosALrzHliNhJA8PylGS2cp0ozk"
    "vkCMgQ";
static const char rsa_short_p[] =
    "_4gBzB1JUhIgn4SxX3TJID3GdnYuEy2sP0bJ4uWJzpf_dgufFIpgKTwsvPypUeR0sba4EgM33vww-_gxj8mK"
    "SyCSWg0HFWQNdldp_Yf0y9ed7RlMQ5hs27a-q_dcp3yQd1fdvcbM0R3d-t7TPiLXmffX2qGQ9qw8xU7Q56b5"
    "usE";
static const char rsa_short_q[] =
    "tzGXYrUjMpKMIU9HPEjVoyw1wWJLx0d2JT9_dx3o8rYYMEa5PmutIO-21d4h-nCZRsBpP9IASXdOIb7q9kFV"
    "T-nUNiVmkiPXCK26jyvR6zcbahe5p1COS3uILJ46JWVBUsuoP776Sj1Lcb6J6Mx_31rp6n-nNELrjWcVXh7u"
    "j38";
static const char rsa_short_dp[] =
    "9Y66w27FXfQDm6fFWAj_mlcjGAXboxx58VjSe5O_iWPx33uthOyxGg80ouxevk6_gWQooU6sa0GIxSquXhH8"
    "LtP_MEBitUCv2zCHr1bufNEYd5ee_TpGKiIEO3d7d4wxvC4Y7d1USATeo81rzMNo0xIkQXqPtyyvPaDPCj4g"
    "sEE";
static const char rsa_short_dq[] =
    "DiQq3njDHc1IOe4HvrSUoULxZ1syJFD04s0zBrvtVocN-PQMqq_fLnKyt3GtR8rXWinSNhX85a7q_hnhw16p"
    "ukB_nCpo75EKsWXPx-uHCdQ4LolkUHEceuEvUtpn_KkDUOPdugYBBigTIdWmiaz3lgNLmUl_W75qtoClmp1i"
    "pvs";
static const char rsa_short_qi[] =
    "UWlRtVNfJCZB0bfLFewCaw_TAFe76QceBNWioR8SRg4MzmZEGOFwk0JPrN0tJK21AhZTyyHfN7E7A1MZmteY"
    "FE3lDJBBvvcrNreCkPpr6MoCHpUh7PPx4503g1tGSRChqLYax4CHtPNda5zuo6NlO4rvrDaOJJjbe77E372G"
    "2vc";
