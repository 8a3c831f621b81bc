(** The compiled terms of the held book, and of a venue that is lost, mean what the ledger says. *)
Require Import ZArith QArith Qminmax Lqa List Bool Arith Lia.
From AgentFund Require Checker Meaning Soundness.
From AgentFund Require Import Sums Legs Ledger Assemble Compile.
Import ListNotations.
Local Open Scope Q_scope.

Section Compiled.
  Variable D : declared.
  Local Notation drivers := (Compile.drivers D).
  Local Notation elsewhere := (Compile.elsewhere D).
  Local Notation held_lines := (Compile.held_lines D).
  Local Notation held_hinges := (Compile.held_hinges D).
  Local Notation exposure := (Compile.exposure D).
  Local Notation in_declared := (Compile.in_declared D).
  Local Notation mandate_of := (Compile.mandate_of D).
  Local Notation represents := (Compile.represents D).

  Lemma elsewhere_stands : forall gone i,
    at_venue mandate_of gone i == if elsewhere gone i then 1 else 0.
  Proof.
    intros [k|] i; unfold at_venue, stands, Compile.elsewhere; simpl; [|reflexivity].
    destruct (taken D k (place D i)); reflexivity.
  Qed.

  Lemma check_set_ok : forall f t w, Checker.check f (set D) t w = true ->
    Checker.stress_ok (set D) = true.
  Proof.
    intros f t w H. unfold Checker.check, Checker.proved_bound in H.
    destruct (Checker.stress_ok (set D)); [reflexivity|discriminate].
  Qed.

  Lemma box_above_loss_of_everything : forall b i,
    forallb (fun i => ((- Checker.scale <=? fst i) && (fst i <=? 0) && (0 <=? snd i))%Z) b = true ->
    (i < length b)%nat -> (- Checker.scale <= fst (nth i b (0%Z, 0%Z)))%Z.
  Proof.
    intros b i H L. rewrite forallb_forall in H.
    specialize (H (nth i b (0%Z, 0%Z)) (nth_In _ _ L)).
    apply andb_prop in H. destruct H as [H _]. apply andb_prop in H. destruct H as [H _].
    apply Z.leb_le. exact H.
  Qed.

  (** A position at any price of the band: a line and a hinge. *)
  Lemma band_is_hinge : forall u l h p, l <= p <= h ->
    u * p <= u * l + positive_part (u * (h - l)).
  Proof.
    intros u l h p [A B].
    destruct (positive_part_cases (u * (h - l))) as [[U W]|[U W]]; rewrite W.
    - destruct (Qlt_le_dec u 0); nra.
    - destruct (Qlt_le_dec 0 u); nra.
  Qed.

  Section Scenario.
    Variables (e : exact) (b : book) (x : scenario) (y : Meaning.scenario).
    Hypothesis Rep : represents e b.
    Hypothesis Here : in_declared x y.
    Hypothesis Ok : Checker.stress_ok (set D) = true.

    Lemma scenario_length : length y = drivers.
    Proof. apply in_box_length. apply Here. Qed.

    Lemma whole_return : forall i, (i < count D)%nat -> 0 <= hundred + moved y i.
    Proof.
      intros i L. pose proof (drivers_enough D) as Dr. destruct Here as [[Bx _] _].
      unfold Checker.stress_ok in Ok. apply andb_prop in Ok. destruct Ok as [O _].
      pose proof (box_above_loss_of_everything _ i O ltac:(lia)) as A.
      pose proof (in_box_nth _ _ i Bx ltac:(lia)) as [B _].
      rewrite Zle_Qle, inject_Z_opp in A. unfold hundred. lra.
    Qed.

    Lemma held_below : forall sign gone, (sign = 1 \/ sign = -1)%Z ->
      inject_Z sign * (hundred * drift mandate_of gone b x)
      <= sum (line_value y) (held_lines sign gone e)
         + Meaning.hinges_value (held_hinges sign gone e) y.
    Proof.
      intros sign gone Sg. unfold drift, Compile.held_lines, Compile.held_hinges.
      cbn [instruments Compile.mandate_of].
      rewrite hinges_value_sum, !sum_flat_map, <- sum_plus, total_sum, <- !sum_scaled.
      apply sum_below. intros i I. apply in_seq in I.
      destruct Rep as [R _]. destruct (R i ltac:(lia)) as [Rq [Rl Rp]].
      destruct Here as [_ X]. specialize (X i ltac:(lia)).
      rewrite elsewhere_stands. destruct (elsewhere gone i); simpl; [|lra].
      set (u := inject_Z (sign * units e i * contract D i) * moved y i).
      pose proof (band_is_hinge u _ _ _ Rp) as B.
      assert (E : inject_Z sign * (hundred * (1 * (positions b i * (price b i * x i))))
        == u * price b i).
      { unfold u. rewrite Rq. rewrite !inject_Z_mult. rewrite <- X. ring. }
      rewrite E. destruct (band_low e i =? band_high e i)%Z eqn:Eq; simpl.
      - apply Z.eqb_eq in Eq. rewrite <- Eq in B, Rp. unfold line_value. simpl.
        assert (P : positive_part (u * (inject_Z (band_low e i) - inject_Z (band_low e i))) == 0).
        { destruct (positive_part_cases (u * (inject_Z (band_low e i) - inject_Z (band_low e i))))
            as [[U W]|[U W]]; rewrite W; lra. }
        rewrite P in B. unfold u in *.
        rewrite (inject_Z_mult (sign * units e i * contract D i) (band_low e i)).
        change (inject_Z 0) with 0. lra.
      - unfold line_value, Meaning.hinge_value. simpl. fold (moved y i).
        assert (P : u * (inject_Z (band_high e i) - inject_Z (band_low e i)) ==
          inject_Z (sign * units e i * contract D i * (band_high e i - band_low e i)) * moved y i
          + inject_Z 0).
        { unfold u. rewrite (inject_Z_mult _ (band_high e i - band_low e i)).
          unfold Z.sub. rewrite inject_Z_plus, inject_Z_opp. change (inject_Z 0) with 0. ring. }
        unfold positive_part in B. rewrite P in B.
        unfold u in *. rewrite (inject_Z_mult (sign * units e i * contract D i) (band_low e i)).
        change (inject_Z 0) with 0 in *. change (inject_Z 1) with 1. lra.
    Qed.

    Lemma at_band_end : forall u l h p, inject_Z l <= p <= inject_Z h ->
      inject_Z (Z.min (u * l) (u * h)) <= inject_Z u * p <= inject_Z (Z.max (u * l) (u * h)).
    Proof.
      intros u l h p [A B]. split.
      - destruct (Z_le_gt_dec 0 u) as [S|S].
        + eapply Qle_trans; [rewrite <- Zle_Qle; apply Z.le_min_l|].
          rewrite Zle_Qle in S. change (inject_Z 0) with 0 in S. rewrite inject_Z_mult. nra.
        + eapply Qle_trans; [rewrite <- Zle_Qle; apply Z.le_min_r|].
          assert (S' : (u <= 0)%Z) by lia. rewrite Zle_Qle in S'.
          change (inject_Z 0) with 0 in S'. rewrite inject_Z_mult. nra.
      - destruct (Z_le_gt_dec 0 u) as [S|S].
        + eapply Qle_trans; [|rewrite <- Zle_Qle; apply Z.le_max_r].
          rewrite Zle_Qle in S. change (inject_Z 0) with 0 in S. rewrite inject_Z_mult. nra.
        + eapply Qle_trans; [|rewrite <- Zle_Qle; apply Z.le_max_l].
          assert (S' : (u <= 0)%Z) by lia. rewrite Zle_Qle in S'.
          change (inject_Z 0) with 0 in S'. rewrite inject_Z_mult. nra.
    Qed.

    (** What a loss takes is cash and positions at its venues, at the decision's prices. *)
    Lemma stake_is : forall j,
      stake mandate_of (Some j) b
      == sum (fun k => if taken D j k then money b k else 0) (seq 0 (places D))
         + sum (fun i => if taken D j (place D i) then positions b i * price b i else 0)
             (seq 0 (count D)).
    Proof.
      intro j. unfold stake, value, worth. cbn [venues instruments Compile.mandate_of].
      rewrite <- !total_sum.
      assert (A : total (places D) (fun k => stands mandate_of None k * money b k)
        == total (places D) (fun k => stands mandate_of (Some j) k * money b k)
           + total (places D) (fun k => if taken D j k then money b k else 0)).
      { rewrite <- total_plus. apply total_equal. intros k _. simpl.
        destruct (taken D j k); ring. }
      assert (B : total (count D)
          (fun i => at_venue mandate_of None i * (positions b i * price b i))
        == total (count D) (fun i => at_venue mandate_of (Some j) i * (positions b i * price b i))
           + total (count D)
               (fun i => if taken D j (place D i) then positions b i * price b i else 0)).
      { rewrite <- total_plus. apply total_equal. intros i _. unfold at_venue. simpl.
        destruct (taken D j (place D i)); ring. }
      rewrite A, B. ring.
    Qed.

    Lemma stake_between : forall j,
      inject_Z (exposure Z.min e j) <= stake mandate_of (Some j) b
      <= inject_Z (exposure Z.max e j).
    Proof.
      intro j. rewrite (stake_is j). destruct Rep as [R [Mo _]].
      unfold Compile.exposure. rewrite !inject_Z_plus, !zsum_sum.
      assert (C : sum (fun k => inject_Z (if taken D j k then coins e k else 0))
          (seq 0 (places D))
        == sum (fun k => if taken D j k then money b k else 0) (seq 0 (places D))).
      { apply sum_equal. intros k K. apply in_seq in K.
        destruct (taken D j k); [symmetry; apply Mo; lia|reflexivity]. }
      rewrite C.
      assert (H : forall i, In i (seq 0 (count D)) ->
        inject_Z (if taken D j (place D i) then Z.min (units e i * contract D i * band_low e i)
          (units e i * contract D i * band_high e i) else 0)
        <= (if taken D j (place D i) then positions b i * price b i else 0)
        <= inject_Z (if taken D j (place D i) then Z.max (units e i * contract D i * band_low e i)
          (units e i * contract D i * band_high e i) else 0)).
      { intros i I. apply in_seq in I. destruct (R i ltac:(lia)) as [Rq [_ Rp]].
        destruct (taken D j (place D i)); [|change (inject_Z 0) with 0; lra].
        rewrite Rq. apply at_band_end. exact Rp. }
      split; apply Qplus_le_r; apply sum_below; intros i I; apply H; exact I.
    Qed.
  End Scenario.
End Compiled.
