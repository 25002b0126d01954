SELECT
  *,
  CASE WHEN NOT `person` IS NULL AND `row_rank` <= 2 THEN 1 ELSE 0 END AS `kept`,
  CASE
    WHEN SUBSTRING(TO_HEX(SHA256((
      (
        `key_of_controls` || 'coin:'
      ) || `unit_digest`
    ))), 1, 16) < '1999999999999999'
    THEN 1
    ELSE 0
  END AS `aside`
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY `person` ORDER BY `row_digest` NULLS LAST) AS `row_rank`
  FROM (
    SELECT
      *,
      CASE
        WHEN `copy_number` = 0
        THEN SUBSTRING(`group_digest`, 1, 16)
        ELSE SUBSTRING(
          TO_HEX(
            SHA256(
              (
                (
                  `key_of_rows` || 'copy:'
                ) || `group_digest` || LPAD(FORMAT('%x', `copy_number`), 16, '0')
              )
            )
          ),
          1,
          16
        )
      END AS `row_digest`
    FROM (
      SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY `group_digest` ORDER BY `group_digest` NULLS LAST) - 1 AS `copy_number`
      FROM (
        SELECT
          *,
          SUBSTRING(
            TO_HEX(
              SHA256(
                (
                  (
                    `key_of_rows` || 'row:'
                  ) || `unit_digest` || `w0` || `w1` || `w2` || `w3`
                )
              )
            ),
            1,
            32
          ) AS `group_digest`
        FROM (
          SELECT
            *,
            CASE
              WHEN `person` IS NULL
              THEN '0000000000000000'
              ELSE SUBSTRING(TO_HEX(SHA256((
                (
                  `key_of_persons` || 'person:'
                ) || `person`
              ))), 1, 16)
            END AS `unit_digest`
          FROM (
            SELECT
              `c0` AS `c0`,
              CASE
                WHEN `s0` = 1
                THEN '7fffffffffffffff'
                WHEN `s0` = 2
                THEN '7ffffffffffffffe'
                ELSE LPAD(FORMAT('%x', (
                  CAST(`q0` AS INT64) + 2305843009213693952
                )), 16, '0')
              END AS `w0`,
              `c1` AS `c1`,
              CASE
                WHEN `s1` = 1
                THEN '7fffffffffffffff'
                WHEN `s1` = 2
                THEN '7ffffffffffffffe'
                ELSE LPAD(
                  FORMAT(
                    '%x',
                    (
                      CASE
                        WHEN `k1` = `c1`
                        THEN CAST(`q1` AS INT64) + 2305843009213693952
                        ELSE `c1` + 4611686018427387904
                      END
                    )
                  ),
                  16,
                  '0'
                )
              END AS `w1`,
              `c2` AS `c2`,
              LPAD(FORMAT('%x', `c2`), 16, '0') AS `w2`,
              `c3` AS `c3`,
              LPAD(FORMAT('%x', `c3`), 16, '0') AS `w3`,
              `person` AS `person`,
              `r0` AS `r0`,
              `r1` AS `r1`,
              `r2` AS `r2`,
              `r3` AS `r3`,
              `r_person` AS `r_person`
            FROM (
              SELECT
                `c0` AS `c0`,
                `c1` AS `c1`,
                `c2` AS `c2`,
                `c3` AS `c3`,
                CASE
                  WHEN (
                    `q1` / CAST('1000000.0' AS FLOAT64)
                  ) >= CAST('25.0' AS FLOAT64)
                  THEN 2
                  ELSE CASE
                    WHEN (
                      `q1` / CAST('1000000.0' AS FLOAT64)
                    ) >= CAST('18.5' AS FLOAT64)
                    THEN 1
                    ELSE 0
                  END
                END AS `k1`,
                `person` AS `person`,
                `q0` AS `q0`,
                `q1` AS `q1`,
                `r0` AS `r0`,
                `r1` AS `r1`,
                `r2` AS `r2`,
                `r3` AS `r3`,
                `r_person` AS `r_person`,
                `s0` AS `s0`,
                `s1` AS `s1`
              FROM (
                SELECT
                  CASE
                    WHEN `s0` = 0
                    THEN CASE
                      WHEN `q0` >= CAST('65.0' AS FLOAT64)
                      THEN 2
                      ELSE CASE WHEN `q0` >= CAST('18.0' AS FLOAT64) THEN 1 ELSE 0 END
                    END
                    ELSE 0
                  END AS `c0`,
                  CASE
                    WHEN `s1` = 0
                    THEN CASE
                      WHEN `x1` >= CAST('25.0' AS FLOAT64)
                      THEN 2
                      ELSE CASE WHEN `x1` >= CAST('18.5' AS FLOAT64) THEN 1 ELSE 0 END
                    END
                    ELSE 3
                  END AS `c1`,
                  CASE
                    WHEN `r2` IS NULL
                    THEN 3
                    WHEN NOT IS_NAN(`r2`) AND `r2` IN (CAST('1.0' AS FLOAT64))
                    THEN 0
                    WHEN NOT IS_NAN(`r2`) AND `r2` IN (CAST('2.0' AS FLOAT64))
                    THEN 1
                    WHEN NOT IS_NAN(`r2`) AND `r2` IN (CAST('3.0' AS FLOAT64))
                    THEN 2
                    WHEN NOT IS_NAN(`r2`) AND `r2` IN (CAST('9.0' AS FLOAT64))
                    THEN 3
                    ELSE 3
                  END AS `c2`,
                  CASE
                    WHEN `t3` IS NULL
                    THEN 0
                    WHEN `t3` IN ('False')
                    THEN 0
                    WHEN `t3` IN ('True')
                    THEN 1
                    WHEN TRANSLATE(`t3`, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') IN ('true', 't', 'yes', 'y', '1', '1.0')
                    THEN 1
                    WHEN TRANSLATE(`t3`, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') IN ('false', 'f', 'no', 'n', '0', '0.0')
                    THEN 0
                    ELSE 0
                  END AS `c3`,
                  `person` AS `person`,
                  `q0` AS `q0`,
                  `q1` AS `q1`,
                  `r0` AS `r0`,
                  `r1` AS `r1`,
                  `r2` AS `r2`,
                  `r3` AS `r3`,
                  `r_person` AS `r_person`,
                  `s0` AS `s0`,
                  `s1` AS `s1`
                FROM (
                  SELECT
                    `person` AS `person`,
                    CASE
                      WHEN `s0` = 0
                      THEN CASE
                        WHEN (
                          (
                            CASE
                              WHEN `x0` > CAST('1.152921504606847e+18' AS FLOAT64)
                              THEN CAST('1.152921504606847e+18' AS FLOAT64)
                              WHEN `x0` < CAST('-1.152921504606847e+18' AS FLOAT64)
                              THEN CAST('-1.152921504606847e+18' AS FLOAT64)
                              ELSE `x0`
                            END
                          ) - FLOOR(
                            CASE
                              WHEN `x0` > CAST('1.152921504606847e+18' AS FLOAT64)
                              THEN CAST('1.152921504606847e+18' AS FLOAT64)
                              WHEN `x0` < CAST('-1.152921504606847e+18' AS FLOAT64)
                              THEN CAST('-1.152921504606847e+18' AS FLOAT64)
                              ELSE `x0`
                            END
                          )
                        ) < CAST('0.5' AS FLOAT64)
                        OR (
                          (
                            (
                              CASE
                                WHEN `x0` > CAST('1.152921504606847e+18' AS FLOAT64)
                                THEN CAST('1.152921504606847e+18' AS FLOAT64)
                                WHEN `x0` < CAST('-1.152921504606847e+18' AS FLOAT64)
                                THEN CAST('-1.152921504606847e+18' AS FLOAT64)
                                ELSE `x0`
                              END
                            ) - FLOOR(
                              CASE
                                WHEN `x0` > CAST('1.152921504606847e+18' AS FLOAT64)
                                THEN CAST('1.152921504606847e+18' AS FLOAT64)
                                WHEN `x0` < CAST('-1.152921504606847e+18' AS FLOAT64)
                                THEN CAST('-1.152921504606847e+18' AS FLOAT64)
                                ELSE `x0`
                              END
                            )
                          ) = CAST('0.5' AS FLOAT64)
                          AND (
                            FLOOR(
                              CASE
                                WHEN `x0` > CAST('1.152921504606847e+18' AS FLOAT64)
                                THEN CAST('1.152921504606847e+18' AS FLOAT64)
                                WHEN `x0` < CAST('-1.152921504606847e+18' AS FLOAT64)
                                THEN CAST('-1.152921504606847e+18' AS FLOAT64)
                                ELSE `x0`
                              END
                            ) / CAST('2.0' AS FLOAT64)
                          ) = FLOOR(
                            (
                              FLOOR(
                                CASE
                                  WHEN `x0` > CAST('1.152921504606847e+18' AS FLOAT64)
                                  THEN CAST('1.152921504606847e+18' AS FLOAT64)
                                  WHEN `x0` < CAST('-1.152921504606847e+18' AS FLOAT64)
                                  THEN CAST('-1.152921504606847e+18' AS FLOAT64)
                                  ELSE `x0`
                                END
                              ) / CAST('2.0' AS FLOAT64)
                            )
                          )
                        )
                        THEN FLOOR(
                          CASE
                            WHEN `x0` > CAST('1.152921504606847e+18' AS FLOAT64)
                            THEN CAST('1.152921504606847e+18' AS FLOAT64)
                            WHEN `x0` < CAST('-1.152921504606847e+18' AS FLOAT64)
                            THEN CAST('-1.152921504606847e+18' AS FLOAT64)
                            ELSE `x0`
                          END
                        )
                        ELSE FLOOR(
                          CASE
                            WHEN `x0` > CAST('1.152921504606847e+18' AS FLOAT64)
                            THEN CAST('1.152921504606847e+18' AS FLOAT64)
                            WHEN `x0` < CAST('-1.152921504606847e+18' AS FLOAT64)
                            THEN CAST('-1.152921504606847e+18' AS FLOAT64)
                            ELSE `x0`
                          END
                        ) + CAST('1.0' AS FLOAT64)
                      END
                      ELSE CAST('0.0' AS FLOAT64)
                    END AS `q0`,
                    CASE
                      WHEN `s1` = 0
                      THEN FLOOR(
                        (
                          (
                            CASE
                              WHEN `x1` > CAST('2000000000000.0' AS FLOAT64)
                              THEN CAST('2000000000000.0' AS FLOAT64)
                              WHEN `x1` < CAST('-2000000000000.0' AS FLOAT64)
                              THEN CAST('-2000000000000.0' AS FLOAT64)
                              ELSE `x1`
                            END
                          ) * CAST('1000000.0' AS FLOAT64)
                        ) + CAST('0.5' AS FLOAT64)
                      )
                      ELSE CAST('0.0' AS FLOAT64)
                    END AS `q1`,
                    `r0` AS `r0`,
                    `r1` AS `r1`,
                    `r2` AS `r2`,
                    `r3` AS `r3`,
                    `r_person` AS `r_person`,
                    `s0` AS `s0`,
                    `s1` AS `s1`,
                    `t3` AS `t3`,
                    `x1` AS `x1`
                  FROM (
                    SELECT
                      `person` AS `person`,
                      `r0` AS `r0`,
                      `r1` AS `r1`,
                      `r2` AS `r2`,
                      `r3` AS `r3`,
                      `r_person` AS `r_person`,
                      CASE WHEN `x0` IS NULL THEN 1 WHEN `x0` IS NULL THEN 2 WHEN FALSE THEN 1 ELSE 0 END AS `s0`,
                      CASE
                        WHEN `x1` IS NULL OR IS_NAN(`x1`)
                        THEN 1
                        WHEN `x1` IS NULL
                        THEN 2
                        WHEN FALSE
                        THEN 1
                        ELSE 0
                      END AS `s1`,
                      `t3` AS `t3`,
                      `x0` AS `x0`,
                      `x1` AS `x1`
                    FROM (
                      SELECT
                        `person` AS `person`,
                        `r0` AS `r0`,
                        `r1` AS `r1`,
                        `r2` AS `r2`,
                        `r3` AS `r3`,
                        `r_person` AS `r_person`,
                        `t3` AS `t3`,
                        `x0` AS `x0`,
                        `x1` AS `x1`
                      FROM (
                        SELECT
                          `person` AS `person`,
                          `r0` AS `r0`,
                          `r1` AS `r1`,
                          `r2` AS `r2`,
                          `r3` AS `r3`,
                          `r_person` AS `r_person`,
                          `t3` AS `t3`,
                          `x0` AS `x0`,
                          `x1` AS `x1`
                        FROM (
                          SELECT
                            CASE
                              WHEN `t_person` IS NULL OR `t_person` = '\tunreadable'
                              THEN NULL
                              ELSE CASE
                                WHEN NOT REGEXP_CONTAINS(`t_person`, '^(?:[+-]?[0-9]+\\.0*)\\z')
                                THEN `t_person`
                                WHEN LENGTH(`t_person`) >= 100
                                THEN SUBSTRING(`t_person`, 1, INSTR(`t_person`, '.') - 1)
                                ELSE CASE
                                  WHEN LTRIM(
                                    CASE
                                      WHEN SUBSTRING(`t_person`, 1, 1) IN ('-', '+')
                                      THEN SUBSTRING(SUBSTRING(`t_person`, 1, INSTR(`t_person`, '.') - 1), 2, 1000)
                                      ELSE SUBSTRING(`t_person`, 1, INSTR(`t_person`, '.') - 1)
                                    END,
                                    '0'
                                  ) = ''
                                  THEN '0'
                                  WHEN SUBSTRING(`t_person`, 1, 1) = '-'
                                  THEN (
                                    '-' || LTRIM(
                                      CASE
                                        WHEN SUBSTRING(`t_person`, 1, 1) IN ('-', '+')
                                        THEN SUBSTRING(SUBSTRING(`t_person`, 1, INSTR(`t_person`, '.') - 1), 2, 1000)
                                        ELSE SUBSTRING(`t_person`, 1, INSTR(`t_person`, '.') - 1)
                                      END,
                                      '0'
                                    )
                                  )
                                  ELSE LTRIM(
                                    CASE
                                      WHEN SUBSTRING(`t_person`, 1, 1) IN ('-', '+')
                                      THEN SUBSTRING(SUBSTRING(`t_person`, 1, INSTR(`t_person`, '.') - 1), 2, 1000)
                                      ELSE SUBSTRING(`t_person`, 1, INSTR(`t_person`, '.') - 1)
                                    END,
                                    '0'
                                  )
                                END
                              END
                            END AS `person`,
                            `r0` AS `r0`,
                            `r1` AS `r1`,
                            `r2` AS `r2`,
                            `r3` AS `r3`,
                            `r_person` AS `r_person`,
                            `t3` AS `t3`,
                            `x0` AS `x0`,
                            `x1` AS `x1`
                          FROM (
                            SELECT
                              `r0` AS `r0`,
                              `r1` AS `r1`,
                              `r2` AS `r2`,
                              `r3` AS `r3`,
                              `r_person` AS `r_person`,
                              CAST(`r3` AS STRING) AS `t3`,
                              CAST(`r_person` AS STRING) AS `t_person`,
                              CAST(`r0` AS FLOAT64) AS `x0`,
                              CAST(`r1` AS FLOAT64) AS `x1`
                            FROM (
                              SELECT
                                `age` AS `r0`,
                                `bmi` AS `r1`,
                                `ward` AS `r2`,
                                `ill` AS `r3`,
                                `pid` AS `r_person`
                              FROM `people`
                            ) AS `layer_1`
                          ) AS `layer_2`
                        ) AS `layer_3`
                      ) AS `layer_4`
                    ) AS `layer_5`
                  ) AS `layer_6`
                ) AS `layer_7`
              ) AS `layer_8`
            ) AS `layer_9`
          ) AS `coded`
        ) AS `with_units`
      ) AS `with_groups`
    ) AS `with_copies`
  ) AS `with_digests`
) AS `with_ranks`;

SELECT COALESCE(q0, q1, q2) AS cell, COUNT(*) AS held FROM (SELECT c0 + 0 AS q0, c1 + 3 AS q1, c0 * 4 + c1 + 6 AS q2 FROM dpsynth_rows) AS placed GROUP BY GROUPING SETS ((q0), (q1), (q2));
