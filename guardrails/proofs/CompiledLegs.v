(** The compiled terms of legs that may fill, at their limits and at the best of the set, bound what
    the ledger says of them. *)
Require Import ZArith QArith Qminmax Lqa List Bool Arith Lia.
From AgentFund Require Checker Meaning Soundness.
From AgentFund Require Import Sums Legs Ledger Assemble Compile CompiledBook.
Import ListNotations.
Local Open Scope Q_scope.

Section Compiled.
  Variable D : declared.
  Local Notation elsewhere := (Compile.elsewhere D).
  Local Notation worst_fill := (Compile.worst_fill D).
  Local Notation best_fill := (Compile.best_fill D).
  Local Notation leg_lines := (Compile.leg_lines D).
  Local Notation leg_hinges := (Compile.leg_hinges D).
  Local Notation in_declared := (Compile.in_declared D).
  Local Notation mandate_of := (Compile.mandate_of D).
  Local Notation leg_of := (Compile.leg_of D).
  Local Notation represents := (Compile.represents D).

  Section Scenario.
    Variables (e : exact) (b : book) (x : scenario) (y : Meaning.scenario).
    Hypothesis Rep : represents e b.
    Hypothesis Here : in_declared x y.
    Hypothesis Ok : Checker.stress_ok (set D) = true.

    Lemma legs_below : forall gone (does : leg -> Q) (effect : order -> line),
      (forall o, (traded o < count D)%nat ->
         hundred * does (leg_of o)
         <= if elsewhere gone (traded o) then line_value y (effect o) else 0) ->
      forall c, Forall (fun o => (traded o < count D)%nat) (fst c) ->
      Forall (fun o => (traded o < count D)%nat) (snd c) ->
      hundred * worst does (case_map leg_of c)
      <= sum (line_value y) (leg_lines effect gone (fst c))
         + Meaning.hinges_value (leg_hinges effect gone (snd c)) y.
    Proof.
      intros gone does effect H [full opts] F O. simpl in F, O. unfold worst. simpl.
      assert (A : hundred * whole does (map leg_of full)
        <= sum (line_value y) (leg_lines effect gone full)).
      { unfold Compile.leg_lines. rewrite sum_flat_map.
        induction F as [|o full Fo _ IH]; simpl; [lra|]. specialize (H o Fo).
        destruct (elsewhere gone (traded o)); simpl; lra. }
      assert (B : hundred * options does (map leg_of opts)
        <= Meaning.hinges_value (leg_hinges effect gone opts) y).
      { unfold Compile.leg_hinges. rewrite hinges_value_sum, sum_flat_map.
        induction O as [|o opts Oo _ IH]; simpl; [lra|]. specialize (H o Oo).
        assert (P : forall a v, hundred * a <= v -> hundred * positive_part a <= Qmax 0 v).
        { intros a v L. pose proof (Q.le_max_l 0 v). pose proof (Q.le_max_r 0 v).
          destruct (positive_part_cases a) as [[U W]|[U W]].
          - rewrite W. lra.
          - rewrite W. lra. }
        destruct (elsewhere gone (traded o)); simpl.
        - specialize (P _ _ H).
          assert (E : Meaning.hinge_value
            (Checker.Hinge 1 (Z.of_nat (along (effect o))) (rise (effect o)) (level (effect o))) y
            == Qmax 0 (line_value y (effect o))).
          { unfold Meaning.hinge_value, line_value, moved. simpl.
            change (inject_Z 1) with 1. ring. }
          rewrite E. lra.
        - assert (Z0 : Qmax 0 0 == 0) by (rewrite Q.max_id; reflexivity).
          specialize (P _ _ H). lra. }
      lra.
    Qed.

    Lemma worst_below : forall gone o, (traded o < count D)%nat ->
      hundred * loss_effect mandate_of gone b x (leg_of o)
      <= if elsewhere gone (traded o) then line_value y (worst_fill e o) else 0.
    Proof.
      intros gone o L. unfold loss_effect. cbn [symbol Compile.leg_of quantity].
      rewrite elsewhere_stands. destruct (elsewhere gone (traded o)); [|lra].
      destruct Rep as [R _]. destruct (R _ L) as [_ [Rl [Rp1 Rp2]]].
      destruct Here as [_ X]. specialize (X _ L). pose proof (whole_return D x y Here Ok _ L) as Wr.
      unfold all_in, worst_price, Compile.worst_fill. cbn [symbol quantity limit Compile.leg_of
        most_paid most_received Compile.mandate_of].
      set (i := traded o) in *. set (p := price b i) in *.
      set (lo := inject_Z (band_low e i)) in *. set (hi := inject_Z (band_high e i)) in *.
      pose proof (contract_nonnegative D i) as Cn.
      rewrite Zle_Qle in Rl. change (inject_Z 0) with 0 in Rl. fold lo in Rl.
      assert (U : hundred * (x i) == moved y i) by lra.
      assert (V : hundred * (p * (1 + x i)) == p * (hundred + moved y i)) by (rewrite <- U; ring).
      destruct (0 <=? lots o)%Z eqn:Sg.
      - apply Z.leb_le in Sg.
        assert (Q0 : (0 <= lots o * contract D i)%Z) by nia.
        rewrite Zle_Qle in Q0. change (inject_Z 0) with 0 in Q0.
        replace (Qle_bool 0 (inject_Z (lots o * contract D i))) with true
          by (symmetry; apply Qle_bool_iff; exact Q0).
        rewrite (Z.abs_eq _ Sg). set (d := inject_Z (lots o * contract D i)) in *.
        pose proof (cap_nonnegative _ (received_cap_nonnegative D i)) as Cp.
        pose proof (received_cap_nonnegative D i) as Ci. rewrite Zle_Qle in Ci.
        change (inject_Z 0) with 0 in Ci.
        unfold line_value. cbn [along rise level].
        assert (E1 : inject_Z (- (lots o * contract D i) * band_low e i) == - (d * lo)).
        { rewrite inject_Z_mult, inject_Z_opp. fold d lo. ring. }
        assert (E2 : inject_Z (lots o * contract D i * (Checker.scale * (at_most o - band_low e i)
            + band_high e i * received_cap D i))
          == d * (hundred * (inject_Z (at_most o) - lo) + hi * inject_Z (received_cap D i))).
        { rewrite (inject_Z_mult (lots o * contract D i)). fold d. unfold Z.sub.
          rewrite inject_Z_plus, !inject_Z_mult, inject_Z_plus, inject_Z_opp.
          fold lo hi hundred. ring. }
        rewrite E1, E2.
        assert (E3 : hundred * (p * (inject_Z (received_cap D i) / hundred))
          == p * inject_Z (received_cap D i)) by (field; discriminate).
        assert (G : hundred * (1 * (d * (inject_Z (at_most o)
            + p * (inject_Z (received_cap D i) / hundred)
            - p * (1 + x i))))
          == d * (hundred * inject_Z (at_most o) + p * inject_Z (received_cap D i)
            - p * (hundred + moved y i))).
        { rewrite <- E3, <- V. ring. }
        rewrite G. fold (moved y i).
        assert (H1 : p * inject_Z (received_cap D i) <= hi * inject_Z (received_cap D i)) by nra.
        assert (H2 : lo * (hundred + moved y i) <= p * (hundred + moved y i)) by nra.
        assert (H3 : hundred * inject_Z (at_most o) + p * inject_Z (received_cap D i)
            - p * (hundred + moved y i) <= hundred * inject_Z (at_most o)
            + hi * inject_Z (received_cap D i) - lo * (hundred + moved y i)) by lra.
        pose proof (Qmult_le_compat_r _ _ d H3 Q0) as H4. lra.
      - apply Z.leb_gt in Sg.
        assert (Q0 : (0 <= - lots o * contract D i)%Z) by nia.
        rewrite Zle_Qle in Q0. change (inject_Z 0) with 0 in Q0.
        rewrite (Z.abs_neq (lots o)) by lia. set (d := inject_Z (- lots o * contract D i)) in *.
        assert (Ed : inject_Z (lots o * contract D i) == - d).
        { unfold d. rewrite <- inject_Z_opp. replace (- (- lots o * contract D i))%Z
            with (lots o * contract D i)%Z by ring. reflexivity. }
        pose proof (paid_cap_nonnegative D i) as Ci. rewrite Zle_Qle in Ci.
        change (inject_Z 0) with 0 in Ci.
        pose proof (cap_nonnegative _ (received_cap_nonnegative D i)) as Cr.
        pose proof (cap_nonnegative _ (paid_cap_nonnegative D i)) as Cp.
        unfold line_value. cbn [along rise level].
        assert (E1 : inject_Z (- lots o * contract D i * band_high e i) == d * hi).
        { rewrite inject_Z_mult. fold d hi. ring. }
        assert (E2 : inject_Z (- lots o * contract D i
            * (Checker.scale * (band_high e i - at_most o)
            + band_high e i * paid_cap D i))
          == d * (hundred * (hi - inject_Z (at_most o)) + hi * inject_Z (paid_cap D i))).
        { rewrite (inject_Z_mult (- lots o * contract D i)). fold d. unfold Z.sub.
          rewrite inject_Z_plus, !inject_Z_mult, inject_Z_plus, inject_Z_opp.
          fold hi hundred. ring. }
        rewrite E1, E2.
        assert (E3 : hundred * (p * (inject_Z (paid_cap D i) / hundred))
          == p * inject_Z (paid_cap D i)) by (field; discriminate).
        set (q := if Qle_bool 0 (inject_Z (lots o * contract D i))
          then inject_Z (at_most o) + p * (inject_Z (received_cap D i) / hundred)
          else inject_Z (at_most o) - p * (inject_Z (paid_cap D i) / hundred)).
        assert (G : hundred * (1 * (inject_Z (lots o * contract D i) * (q - p * (1 + x i))))
          <= d * (p * (hundred + moved y i) - hundred * inject_Z (at_most o)
            + p * inject_Z (paid_cap D i))).
        { unfold q. destruct (Qle_bool 0 (inject_Z (lots o * contract D i))) eqn:Eb.
          - apply Qle_bool_iff in Eb. assert (D0 : d == 0) by lra. rewrite Ed, D0. lra.
          - rewrite Ed. rewrite <- E3, <- V. apply Qle_lteq. right. ring. }
        eapply Qle_trans; [exact G|]. fold (moved y i).
        assert (H1 : p * inject_Z (paid_cap D i) <= hi * inject_Z (paid_cap D i)) by nra.
        assert (H2 : p * (hundred + moved y i) <= hi * (hundred + moved y i)) by nra.
        assert (H3 : p * (hundred + moved y i) - hundred * inject_Z (at_most o)
            + p * inject_Z (paid_cap D i) <= hi * (hundred + moved y i)
            - hundred * inject_Z (at_most o) + hi * inject_Z (paid_cap D i)) by lra.
        pose proof (Qmult_le_compat_r _ _ d H3 Q0) as H4. lra.
    Qed.

    Lemma best_below : forall gone o, (traded o < count D)%nat ->
      hundred * gain_effect mandate_of gone b x (leg_of o)
      <= if elsewhere gone (traded o) then line_value y (best_fill e o) else 0.
    Proof.
      intros gone o L. unfold gain_effect. cbn [symbol Compile.leg_of quantity].
      rewrite elsewhere_stands. destruct (elsewhere gone (traded o)); [|lra].
      destruct Rep as [R _]. destruct (R _ L) as [_ [Rl [Rp1 Rp2]]].
      destruct Here as [[Bx _] X]. specialize (X _ L). pose proof (drivers_enough D) as Dr.
      pose proof (in_box_nth _ _ (traded o) Bx ltac:(lia)) as [B1 B2].
      unfold all_in, best_price, Compile.best_fill. cbn [symbol quantity limit Compile.leg_of
        lowest highest Compile.mandate_of]. unfold Compile.edge.
      set (i := traded o) in *. set (p := price b i) in *.
      set (hi := inject_Z (band_high e i)) in *.
      set (bi := nth i (Checker.intervals (set D)) (0%Z, 0%Z)) in *.
      pose proof (contract_nonnegative D i) as Cn.
      assert (U : hundred * (x i) == moved y i) by lra.
      assert (E3 : forall c,
          hundred * (p * (1 + inject_Z c / hundred)) == p * (hundred + inject_Z c))
        by (intro c; field; discriminate).
      assert (V : hundred * (p * (1 + x i)) == p * (hundred + moved y i)) by (rewrite <- U; ring).
      destruct (0 <=? lots o)%Z eqn:Sg.
      - apply Z.leb_le in Sg.
        assert (Q0 : (0 <= lots o * contract D i)%Z) by nia.
        rewrite Zle_Qle in Q0. change (inject_Z 0) with 0 in Q0.
        replace (Qle_bool 0 (inject_Z (lots o * contract D i))) with true
          by (symmetry; apply Qle_bool_iff; exact Q0).
        rewrite (Z.abs_eq _ Sg). set (d := inject_Z (lots o * contract D i)) in *.
        unfold line_value. cbn [along rise level]. fold (moved y i).
        assert (E1 : inject_Z (lots o * contract D i * band_high e i) == d * hi).
        { rewrite inject_Z_mult. fold d hi. ring. }
        assert (E2 : inject_Z (- (lots o * contract D i * band_high e i) * fst bi)
          == - (d * hi * inject_Z (fst bi))).
        { rewrite inject_Z_mult, inject_Z_opp, E1. ring. }
        rewrite E1, E2.
        assert (G : hundred * (1 * (d * (p * (1 + x i) - p * (1 + inject_Z (fst bi) / hundred))))
          == d * (p * (moved y i - inject_Z (fst bi)))).
        { transitivity (d * (hundred * (p * (1 + x i))
            - hundred * (p * (1 + inject_Z (fst bi) / hundred))));
            [ring|]. rewrite V, E3. ring. }
        rewrite G.
        assert (H3 : p * (moved y i - inject_Z (fst bi)) <= hi * (moved y i - inject_Z (fst bi)))
          by nra.
        pose proof (Qmult_le_compat_r _ _ d H3 Q0) as H4. lra.
      - apply Z.leb_gt in Sg.
        assert (Q0 : (0 <= - lots o * contract D i)%Z) by nia.
        rewrite Zle_Qle in Q0. change (inject_Z 0) with 0 in Q0.
        rewrite (Z.abs_neq (lots o)) by lia. set (d := inject_Z (- lots o * contract D i)) in *.
        assert (Ed : inject_Z (lots o * contract D i) == - d).
        { unfold d. rewrite <- inject_Z_opp. replace (- (- lots o * contract D i))%Z
            with (lots o * contract D i)%Z by ring. reflexivity. }
        unfold line_value. cbn [along rise level]. fold (moved y i).
        assert (E1 : inject_Z (- lots o * contract D i * band_high e i) == d * hi).
        { rewrite inject_Z_mult. fold d hi. ring. }
        rewrite (inject_Z_opp (- lots o * contract D i * band_high e i)).
        rewrite (inject_Z_mult (- lots o * contract D i * band_high e i) (snd bi)), E1.
        set (q := if Qle_bool 0 (inject_Z (lots o * contract D i))
          then p * (1 + inject_Z (fst bi) / hundred) else p * (1 + inject_Z (snd bi) / hundred)).
        assert (G : hundred * (1 * (inject_Z (lots o * contract D i) * (p * (1 + x i) - q)))
          == d * (p * (inject_Z (snd bi) - moved y i))).
        { unfold q. destruct (Qle_bool 0 (inject_Z (lots o * contract D i))) eqn:Eb.
          - apply Qle_bool_iff in Eb. assert (D0 : d == 0) by lra. rewrite Ed, D0. ring.
          - rewrite Ed. transitivity (d * (hundred * (p * (1 + inject_Z (snd bi) / hundred))
              - hundred * (p * (1 + x i)))); [ring|]. rewrite V, E3. ring. }
        rewrite G.
        assert (H3 : p * (inject_Z (snd bi) - moved y i) <= hi * (inject_Z (snd bi) - moved y i))
          by nra.
        pose proof (Qmult_le_compat_r _ _ d H3 Q0) as H4. lra.
    Qed.
  End Scenario.
End Compiled.
