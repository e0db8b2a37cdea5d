;; Dot products of one query with many vectors, by 128-bit SIMD.
;; Quantized ones first:
;;   $codes    first vector: $stride signed bytes each, one after the other
;;   $count    vectors
;;   $stride   bytes of a vector, a multiple of 16, padded with zeros
;;   $query    $stride signed 16-bit numbers
;;   $products where $count signed 32-bit products go
;; The caller keeps the query so small that the sum of all its products has 32 bits.
(module
  (import "host" "memory" (memory 1 65536 shared))
  (func (export "dot")
    (param $codes i32) (param $count i32) (param $stride i32) (param $query i32) (param $products i32)
    (local $end i32) (local $at i32) (local $rest i32)
    (local $bytes v128) (local $low v128) (local $high v128)
    (local.set $end (i32.add (local.get $products) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $vectors
        (br_if $done (i32.ge_u (local.get $products) (local.get $end)))
        (local.set $low (v128.const i32x4 0 0 0 0))
        (local.set $high (v128.const i32x4 0 0 0 0))
        (local.set $at (local.get $query))
        (local.set $rest (local.get $stride))
        (loop $parts
          (local.set $bytes (v128.load (local.get $codes)))
          (local.set $low (i32x4.add (local.get $low)
            (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $bytes)) (v128.load (local.get $at)))))
          (local.set $high (i32x4.add (local.get $high)
            (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $bytes)) (v128.load offset=16 (local.get $at)))))
          (local.set $codes (i32.add (local.get $codes) (i32.const 16)))
          (local.set $at (i32.add (local.get $at) (i32.const 32)))
          (br_if $parts (local.tee $rest (i32.sub (local.get $rest) (i32.const 16)))))
        (local.set $low (i32x4.add (local.get $low) (local.get $high)))
        (i32.store (local.get $products)
          (i32.add
            (i32.add (i32x4.extract_lane 0 (local.get $low)) (i32x4.extract_lane 1 (local.get $low)))
            (i32.add (i32x4.extract_lane 2 (local.get $low)) (i32x4.extract_lane 3 (local.get $low)))))
        (local.set $products (i32.add (local.get $products) (i32.const 4)))
        (br $vectors))))
  ;; The same for the vectors of the $count row numbers at $rows, 32 bits each. Four at once: most of the time goes by
  ;; waiting for the memory. $count is a multiple of 4.
  (func (export "dotRows")
    (param $rows i32) (param $count i32) (param $codes i32) (param $stride i32) (param $query i32) (param $products i32)
    (local $end i32) (local $at i32) (local $queryEnd i32)
    (local $a i32) (local $b i32) (local $c i32) (local $d i32)
    (local $suma v128) (local $sumb v128) (local $sumc v128) (local $sumd v128)
    (local $bytes v128) (local $low v128) (local $high v128)
    (local.set $end (i32.add (local.get $products) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $queryEnd (i32.add (local.get $query) (i32.shl (local.get $stride) (i32.const 1))))
    (block $done
      (loop $vectors
        (br_if $done (i32.ge_u (local.get $products) (local.get $end)))
        (local.set $a (i32.add (local.get $codes) (i32.mul (i32.load offset=0 (local.get $rows)) (local.get $stride))))
        (local.set $suma (v128.const i32x4 0 0 0 0))
        (local.set $b (i32.add (local.get $codes) (i32.mul (i32.load offset=4 (local.get $rows)) (local.get $stride))))
        (local.set $sumb (v128.const i32x4 0 0 0 0))
        (local.set $c (i32.add (local.get $codes) (i32.mul (i32.load offset=8 (local.get $rows)) (local.get $stride))))
        (local.set $sumc (v128.const i32x4 0 0 0 0))
        (local.set $d (i32.add (local.get $codes) (i32.mul (i32.load offset=12 (local.get $rows)) (local.get $stride))))
        (local.set $sumd (v128.const i32x4 0 0 0 0))
        (local.set $at (local.get $query))
        (loop $parts
          (local.set $low (v128.load (local.get $at)))
          (local.set $high (v128.load offset=16 (local.get $at)))
          (local.set $bytes (v128.load (local.get $a)))
          (local.set $suma (i32x4.add (local.get $suma) (i32x4.add
            (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $bytes)) (local.get $low))
            (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $bytes)) (local.get $high)))))
          (local.set $a (i32.add (local.get $a) (i32.const 16)))
          (local.set $bytes (v128.load (local.get $b)))
          (local.set $sumb (i32x4.add (local.get $sumb) (i32x4.add
            (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $bytes)) (local.get $low))
            (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $bytes)) (local.get $high)))))
          (local.set $b (i32.add (local.get $b) (i32.const 16)))
          (local.set $bytes (v128.load (local.get $c)))
          (local.set $sumc (i32x4.add (local.get $sumc) (i32x4.add
            (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $bytes)) (local.get $low))
            (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $bytes)) (local.get $high)))))
          (local.set $c (i32.add (local.get $c) (i32.const 16)))
          (local.set $bytes (v128.load (local.get $d)))
          (local.set $sumd (i32x4.add (local.get $sumd) (i32x4.add
            (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $bytes)) (local.get $low))
            (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $bytes)) (local.get $high)))))
          (local.set $d (i32.add (local.get $d) (i32.const 16)))
          (br_if $parts (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 32))) (local.get $queryEnd))))
        (i32.store offset=0 (local.get $products)
          (i32.add
            (i32.add (i32x4.extract_lane 0 (local.get $suma)) (i32x4.extract_lane 1 (local.get $suma)))
            (i32.add (i32x4.extract_lane 2 (local.get $suma)) (i32x4.extract_lane 3 (local.get $suma)))))
        (i32.store offset=4 (local.get $products)
          (i32.add
            (i32.add (i32x4.extract_lane 0 (local.get $sumb)) (i32x4.extract_lane 1 (local.get $sumb)))
            (i32.add (i32x4.extract_lane 2 (local.get $sumb)) (i32x4.extract_lane 3 (local.get $sumb)))))
        (i32.store offset=8 (local.get $products)
          (i32.add
            (i32.add (i32x4.extract_lane 0 (local.get $sumc)) (i32x4.extract_lane 1 (local.get $sumc)))
            (i32.add (i32x4.extract_lane 2 (local.get $sumc)) (i32x4.extract_lane 3 (local.get $sumc)))))
        (i32.store offset=12 (local.get $products)
          (i32.add
            (i32.add (i32x4.extract_lane 0 (local.get $sumd)) (i32x4.extract_lane 1 (local.get $sumd)))
            (i32.add (i32x4.extract_lane 2 (local.get $sumd)) (i32x4.extract_lane 3 (local.get $sumd)))))
        (local.set $rows (i32.add (local.get $rows) (i32.const 16)))
        (local.set $products (i32.add (local.get $products) (i32.const 16)))
        (br $vectors))))

  ;; Of 32-bit floating-point numbers. $stride: bytes of a vector, a multiple of 64, padded with zeros.
  (func (export "dotFloats")
    (param $vectors i32) (param $count i32) (param $stride i32) (param $query i32) (param $products i32)
    (local $end i32) (local $at i32) (local $queryEnd i32)
    (local $sum0 v128) (local $sum1 v128) (local $sum2 v128) (local $sum3 v128)
    (local.set $end (i32.add (local.get $products) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $queryEnd (i32.add (local.get $query) (local.get $stride)))
    (block $done
      (loop $rows
        (br_if $done (i32.ge_u (local.get $products) (local.get $end)))
        (local.set $sum0 (v128.const i32x4 0 0 0 0))
        (local.set $sum1 (v128.const i32x4 0 0 0 0))
        (local.set $sum2 (v128.const i32x4 0 0 0 0))
        (local.set $sum3 (v128.const i32x4 0 0 0 0))
        (local.set $at (local.get $query))
        (loop $parts
          (local.set $sum0 (f32x4.add (local.get $sum0)
            (f32x4.mul (v128.load (local.get $vectors)) (v128.load (local.get $at)))))
          (local.set $sum1 (f32x4.add (local.get $sum1)
            (f32x4.mul (v128.load offset=16 (local.get $vectors)) (v128.load offset=16 (local.get $at)))))
          (local.set $sum2 (f32x4.add (local.get $sum2)
            (f32x4.mul (v128.load offset=32 (local.get $vectors)) (v128.load offset=32 (local.get $at)))))
          (local.set $sum3 (f32x4.add (local.get $sum3)
            (f32x4.mul (v128.load offset=48 (local.get $vectors)) (v128.load offset=48 (local.get $at)))))
          (local.set $vectors (i32.add (local.get $vectors) (i32.const 64)))
          (br_if $parts (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64))) (local.get $queryEnd))))
        (local.set $sum0 (f32x4.add (f32x4.add (local.get $sum0) (local.get $sum1)) (f32x4.add (local.get $sum2) (local.get $sum3))))
        (f32.store (local.get $products)
          (f32.add
            (f32.add (f32x4.extract_lane 0 (local.get $sum0)) (f32x4.extract_lane 1 (local.get $sum0)))
            (f32.add (f32x4.extract_lane 2 (local.get $sum0)) (f32x4.extract_lane 3 (local.get $sum0)))))
        (local.set $products (i32.add (local.get $products) (i32.const 4)))
        (br $rows)))))
